internal import Configuration

/// What a provider is asked.
struct ProviderRequest: Sendable {
    /// The longest key set, and metadata, that is read, in bytes.
    static let keySetAtMost = 256 * 1024
    /// The longest answer about a token.
    static let introspectionAtMost = 32 * 1024
    /// Nanoseconds from the first byte to the last, the connection included.
    static let timeAtMost: Int64 = 5_000_000_000

    let url: RemoteURL
    /// The longest answer that is read, in bytes.
    var answerAtMost = ProviderRequest.keySetAtMost
    /// A form to post; nil asks by GET.
    var form: [UInt8]?
    /// The value of `Authorization`.
    var authorization: String?

    /// The whole request.
    var bytes: [UInt8] {
        var text = "\(form == nil ? "GET" : "POST") \(url.path) HTTP/1.1\r\nHost: \(url.authority)\r\n"
        text += "User-Agent: gatehouse\r\nAccept: application/json, application/jwk-set+json\r\n"
        if let authorization { text += "Authorization: \(authorization)\r\n" }
        guard let form else { return Array("\(text)\r\n".utf8) }
        text += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(form.count)\r\n\r\n"
        return Array(text.utf8) + form
    }
}

/// What a provider answered.
struct ProviderAnswer: Sendable {
    let status: Int
    /// Without parameters, lower case.
    let mediaType: String
    /// `max-age` of `Cache-Control`, in seconds.
    let maxAge: Int64?
    /// `Location`, of a redirect.
    let location: String?
    let body: [UInt8]
}

/// Why a provider could not be asked, or said nothing that can be used: a sentence for the operator.
public struct ProviderFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What happened.
    public let description: String

    init(_ description: String) { self.description = description }
}
