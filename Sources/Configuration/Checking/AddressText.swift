internal import Transport

/// `127.0.0.1:80`, `[::1]:80`, `name:80`, `unix:PATH` as they stand in the file.
enum AddressText {
    struct Problem: Error {
        let message: String
        let suggestion: String
    }

    /// An address, or a host name with its port.
    static func endpoint(_ word: Word) throws(Problem) -> UpstreamServer.Endpoint {
        let text = word.text
        if text.hasPrefix("unix:") { return .address(.unix(try unixPath(word))) }
        if let scheme = ["https://", "http://"].first(where: text.hasPrefix) {
            let rest = text.dropFirst(scheme.count).prefix { $0 != "/" }
            throw Problem(
                message: "'\(text.clipped)' is a URL, not an address",
                suggestion: "write '\(String(rest).clipped)'\(scheme == "https://" ? " and 'tls on;'" : "")")
        }
        let (host, port) = try split(text)
        if let address = SocketAddress(host: host, port: port) { return .address(address) }
        guard NameSyntax.isHostName(host), !host.utf8.allSatisfy({ "0123456789.".utf8.contains($0) }) else {
            throw Problem(
                message: "'\(host.clipped)' is no address and no host name",
                suggestion: "write it like 127.0.0.1:9000, [::1]:9000, name:9000 or unix:PATH")
        }
        return .host(name: host.lowercased(), port: port)
    }

    /// An address to listen on.
    static func address(_ word: Word) throws(Problem) -> SocketAddress {
        if word.text.hasPrefix("*:") {
            throw Problem(
                message: "'*' is no address", suggestion: "write '0.0.0.0\(word.text.dropFirst().description.clipped)'")
        }
        switch try endpoint(word) {
        case .address(let address): return address
        case .host(let name, let port):
            throw Problem(
                message: "'\(name.clipped)' is a name: listeners have addresses",
                suggestion: name == "localhost"
                    ? "write '127.0.0.1:\(port)'" : "write '0.0.0.0:\(port)' for every address")
        }
    }

    private static func unixPath(_ word: Word) throws(Problem) -> String {
        let name = String(word.text.dropFirst(5))
        let path = word.span.file.resolve(name)
        guard !name.isEmpty, path.utf8.count <= 107, !path.utf8.contains(0) else {  // sun_path of unix(7)
            throw Problem(
                message: "'\(word.text.clipped)' is no path of a Unix socket",
                suggestion: "write 'unix:PATH', at most 107 bytes long")
        }
        return path
    }

    private static func split(_ text: String) throws(Problem) -> (host: String, port: UInt16) {
        guard let colon = text.lastIndex(of: ":"), text.hasPrefix("[") == text[..<colon].hasSuffix("]"),
            text.hasPrefix("[") || !text[..<colon].contains(":")
        else {
            if text.contains(":") {
                throw Problem(
                    message: "'\(text.clipped)' is no address with a port",
                    suggestion: "write IPv6 in brackets: '[::1]:8443'")
            }
            let isPort = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
            throw Problem(
                message: isPort ? "'\(text.clipped)' has no address" : "'\(text.clipped)' has no port",
                suggestion: isPort ? "write '0.0.0.0:\(text.clipped)'" : "write '\(text.clipped):PORT'")
        }
        let host = String(text[..<colon])
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw Problem(
                message: "'\(String(digits).clipped)' is no port", suggestion: "write a number from 1 to 65535")
        }
        return (host, port)
    }
}
