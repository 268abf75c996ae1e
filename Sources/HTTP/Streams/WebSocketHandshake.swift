import COpenSSL

/// The opening handshake of WebSocket (RFC 6455 §4): what a request must have, and what an answer proves.
public enum WebSocketHandshake {
    /// Whether a request's handshake is one that may go on; nil: it may.
    public static func refusal(_ head: RequestHead, _ bytes: Span<UInt8>) -> Refusal? {
        guard let version = single(.secWebSocketVersion, head) else {
            return .badRequest(field: "sec-websocket-version", reason: "missing or repeated")
        }
        guard version.count == 2, bytes[Int(version.start)] == UInt8(ascii: "1"),
            bytes[Int(version.start) + 1] == UInt8(ascii: "3")
        else { return .webSocketVersion }
        guard let key = single(.secWebSocketKey, head), isKey(bytes, key) else {
            return .badRequest(field: "sec-websocket-key", reason: "not 16 bytes in base64")
        }
        guard head.framing == .none || head.framing == .length(0) else {
            return .badRequest(field: nil, reason: "a WebSocket handshake has no body")
        }
        return nil
    }

    private static func single(_ id: FieldName, _ head: RequestHead) -> ByteRange? {
        var found: ByteRange?
        for field in head.fields where field.id == id && !field.isAlias {
            guard found == nil else { return nil }
            found = field.value
        }
        return found
    }

    /// 22 characters and two of padding stand for 16 bytes.
    private static func isKey(_ bytes: Span<UInt8>, _ range: ByteRange) -> Bool {
        guard range.count == 24 else { return false }
        let start = Int(range.start)
        for place in start..<start + 22 {
            let byte = bytes[place]
            guard FieldSyntax.isAlphanumeric(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/") else {
                return false
            }
        }
        return bytes[start + 22] == UInt8(ascii: "=") && bytes[start + 23] == UInt8(ascii: "=")
    }

    /// Whether a 101 answers the handshake that `request` holds (§4.1): the upgrade is to WebSocket, and the key is the
    /// right one.
    public static func isAnswered(
        _ answer: ResponseHead, _ bytes: Span<UInt8>, request: RequestHead, _ requestBytes: Span<UInt8>
    ) -> Bool {
        guard let key = single(.secWebSocketKey, request), let upgrade = answer.first(.upgrade),
            ByteScan.equalFolded(bytes, upgrade.value, "websocket"), let accept = answer.first(.secWebSocketAccept)
        else { return false }
        let expected = acceptance(of: requestBytes.extracting(key.range))
        guard expected.count == accept.value.count else { return false }
        for index in 0..<expected.count where bytes[Int(accept.value.start) + index] != expected[index] {
            return false
        }
        return true
    }

    /// `Sec-WebSocket-Accept` for a key.
    static func acceptance(of key: Span<UInt8>) -> [UInt8] {
        var input: [UInt8] = []
        input.append(copying: key)
        input += Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        unsafe SHA1(input, input.count, &digest)
        return base64(digest)
    }

    /// A key of ours, for a tunnel that was asked for over HTTP/2, where there is none (RFC 8441 §5).
    public static func freshKey() -> [UInt8] {
        var random = [UInt8](repeating: 0, count: 16)
        precondition(unsafe RAND_bytes(&random, 16) == 1, "no random bytes")
        return base64(random)
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = unsafe EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return Array(text.prefix(Int(count)))
    }
}
