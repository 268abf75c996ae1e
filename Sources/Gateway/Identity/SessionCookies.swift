import Configuration
import HTTP
import Identity
import JOSE
import Policy
import Transport

/// The cookies of cookie mode: how they are called, found, set, cleared and kept from upstreams.
///
/// `__Host-` binds a cookie to this host over TLS, so that no sibling domain can set it (RFC 6265bis §4.1.3.2). The refresh token's
/// goes to its own path alone, which that prefix does not allow; `__Secure-` is what is left. Scripts can read neither, only
/// the third, whose value they send back in a header where the browser says nothing of the request's origin.
struct SessionCookies: Sendable {
    let accessName = Array(IdentitySettings.accessCookie.utf8)
    let refreshName = Array("__Secure-refresh".utf8)
    private let proofName = Array("__Host-csrf".utf8)
    private static let proofHeader = "X-CSRF-Token"

    private let refreshPath: String
    private let lifetime: Int64

    init(_ settings: IdentitySettings) {
        refreshPath = settings.prefix.text + "token/refresh"
        lifetime = settings.refreshTTL
    }

    /// Whether a script of the page has sent the value of the readable cookie back in `X-CSRF-Token`.
    func isDoublySubmitted(_ head: RequestHead, _ bytes: Span<UInt8>) -> Bool {
        guard case .one(let cookie) = head.cookie(proofName, in: bytes), cookie.count >= 16 else { return false }
        var sent: Range<Int>?
        for field in head.fields where TextMatch.equalsIgnoringCase(bytes, field.name.range, Self.proofHeader) {
            if sent != nil { return false }
            sent = field.value.range
        }
        guard let sent, sent.count == cookie.count else { return false }
        return zip(sent, cookie).reduce(UInt8(0)) { $0 | (bytes[$1.0] ^ bytes[$1.1]) } == 0
    }

    // MARK: Set-Cookie

    /// The header lines that give a browser its tokens.
    func set(_ tokens: IssuedTokens) -> [UInt8] {
        var lines = line(IdentitySettings.accessCookie, tokens.access, path: "/", age: lifetime, isReadable: false)
        if let refresh = tokens.refresh {
            lines += line("__Secure-refresh", refresh, path: refreshPath, age: lifetime, isReadable: false)
        }
        let proof = Base64URL.encode(RandomBytes.make(18))
        return Array((lines + line("__Host-csrf", proof, path: "/", age: lifetime, isReadable: true)).utf8)
    }

    /// The header lines that take them away.
    func clear() -> [UInt8] {
        Array(
            (line(IdentitySettings.accessCookie, "", path: "/", age: 0, isReadable: false)
                + line("__Secure-refresh", "", path: refreshPath, age: 0, isReadable: false)
                + line("__Host-csrf", "", path: "/", age: 0, isReadable: true)).utf8)
    }

    private func line(_ name: String, _ value: String, path: String, age: Int64, isReadable: Bool) -> String {
        "Set-Cookie: \(name)=\(value); Path=\(path); Max-Age=\(age); Secure; SameSite=Strict\(isReadable ? "" : "; HttpOnly")\r\n"
    }

    // MARK: Forwarding

    /// Writes a `Cookie` line without the gateway's own cookies; nothing when no other is left.
    func appendForwarded(_ value: Range<Int>, _ bytes: Span<UInt8>, to output: ByteBuffer) {
        var pairs = CookiePairs(value)
        var isFirst = true
        while let pair = pairs.next(bytes) {
            if [accessName, refreshName, proofName].contains(where: { CookiePairs.isNamed(pair, $0, bytes) }) {
                continue
            }
            output.append(isFirst ? "Cookie: " : "; ")
            output.append(bytes, pair)
            isFirst = false
        }
        if !isFirst { output.append("\r\n") }
    }
}
