import HTTP
import Transport

/// An answer that the gateway gives itself and that is no refusal: health, metrics, tokens, the keys page, a redirect.
struct LocalAnswer {
    let status: Int
    let contentType: StaticString
    let body: [UInt8]
    /// Further complete header lines.
    var extra: [UInt8] = []
    /// For how long caches may keep it.
    var cacheControl: StaticString = "no-store"

    /// 204: there is nothing to say.
    static let noContent = LocalAnswer(status: 204, contentType: "", body: [])

    /// JSON that must not be kept by caches.
    static func json(_ status: Int, _ body: String) -> LocalAnswer { json(status, Array(body.utf8)) }

    /// JSON that must not be kept by caches.
    static func json(_ status: Int, _ body: [UInt8]) -> LocalAnswer {
        LocalAnswer(status: status, contentType: "application/json", body: body)
    }

    /// To the same target over TLS, with the method and the body kept (RFC 9110 §15.4.9).
    static func redirect(to location: [UInt8]) -> LocalAnswer {
        LocalAnswer(
            status: 308, contentType: "text/plain; charset=utf-8", body: [],
            extra: Array("Location: ".utf8) + location + [13, 10])
    }

    func append(
        requestID: Span<UInt8>, date: Span<UInt8>, close: Bool, headOnly: Bool, further: [UInt8] = [],
        to output: ByteBuffer
    ) {
        output.append("HTTP/1.1 ")
        output.append(decimal: status)
        output.append(" ")
        output.append(StatusText.phrase(status))
        output.append("\r\nDate: ")
        output.append(date)
        if status != 204 {  // RFC 9110 §8.6: no length there
            output.append("\r\nContent-Type: ")
            output.append(contentType)
            output.append("\r\nContent-Length: ")
            output.append(decimal: body.count)
        }
        output.append("\r\nCache-Control: ")
        output.append(cacheControl)
        output.append("\r\nX-Request-Id: ")
        output.append(requestID)
        output.append("\r\n")
        output.append(extra)
        output.append(further)
        output.append(close ? "Connection: close\r\n\r\n" : "\r\n")
        if !headOnly { output.append(body) }
    }
}
