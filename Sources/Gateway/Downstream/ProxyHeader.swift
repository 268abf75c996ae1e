import CLinux
import Glibc
import Transport

/// The PROXY protocol's header, versions 1 and 2, in front of a connection from a trusted proxy or over a Unix socket.
///
/// The bytes are peeked at first, so that not one of those behind the header is taken from the TLS layer.
enum ProxyHeader {
    enum Outcome {
        case incomplete
        case invalid
        /// Whom it names; nil for `UNKNOWN` and `LOCAL`: the peer itself.
        case address(SocketAddress?)
    }

    /// The longest header of version 1 with its CRLF.
    private static let longestText = 107
    /// Addresses and extensions of version 2 at most.
    private static let longestBinary = 16 + 2048
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    /// Reads the header from the socket, once it is there whole. `isLast`: the peer will send no more. While it is
    /// incomplete it stays there: the socket is to be watched for what comes (`Readiness.fresh`), not for what is there.
    static func receive(from descriptor: Int32, isLast: Bool) -> Outcome {
        var bytes = [UInt8](repeating: 0, count: longestBinary)
        let got = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_PEEK))
        if got < 0 { return clinux_errno() == EAGAIN ? .incomplete : .invalid }
        if got == 0 { return .invalid }
        bytes.removeLast(bytes.count - got)
        let (outcome, length) = parse(bytes)
        if isLast, case .incomplete = outcome { return .invalid }
        if case .address = outcome {
            let taken = unsafe recv(descriptor, &bytes, length, 0)
            guard taken == length else { return .invalid }
        }
        return outcome
    }

    /// What `bytes` begin with, and the header's length.
    static func parse(_ bytes: [UInt8]) -> (Outcome, length: Int) {
        if bytes.count < signature.count, signature.starts(with: bytes) { return (.incomplete, 0) }
        return bytes.starts(with: signature) ? parseBinary(bytes) : parseText(bytes)
    }

    private static func parseText(_ bytes: [UInt8]) -> (Outcome, length: Int) {
        let start = Array("PROXY ".utf8)
        guard bytes.prefix(start.count).elementsEqual(start.prefix(bytes.count)) else { return (.invalid, 0) }
        guard let end = bytes.firstIndex(of: 10) else {
            return (bytes.count >= longestText ? .invalid : .incomplete, 0)
        }
        guard end < longestText, end > 0, bytes[end - 1] == 13 else { return (.invalid, 0) }
        let words = String(decoding: bytes[..<(end - 1)], as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: false)
        if words.count >= 2, words[1] == "UNKNOWN" { return (.address(nil), end + 1) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6", let port = UInt16(words[4]),
            UInt16(words[5]) != nil, SocketAddress(host: String(words[3]), port: 0) != nil,
            let source = SocketAddress(host: String(words[2]), port: port)
        else { return (.invalid, 0) }
        if case .ipv4 = source { return (words[1] == "TCP4" ? .address(source) : .invalid, end + 1) }
        return (words[1] == "TCP6" ? .address(source) : .invalid, end + 1)
    }

    private static func parseBinary(_ bytes: [UInt8]) -> (Outcome, length: Int) {
        guard bytes.count >= 16 else { return (.incomplete, 0) }
        let length = 16 + Int(bytes[14]) << 8 + Int(bytes[15])
        guard bytes[12] >> 4 == 2, length <= longestBinary else { return (.invalid, 0) }
        guard bytes.count >= length else { return (.incomplete, 0) }
        switch (bytes[12] & 15, bytes[13]) {
        case (0, _): return (.address(nil), length)
        case (1, 0x11) where length >= 28:
            let port = UInt16(bytes[24]) << 8 | UInt16(bytes[25])
            return (.address(.ipv4(Array(bytes[16..<20]), port: port)), length)
        case (1, 0x21) where length >= 52:
            let port = UInt16(bytes[48]) << 8 | UInt16(bytes[49])
            return (.address(.ipv6(Array(bytes[16..<32]), port: port)), length)
        case (1, 0x00): return (.address(nil), length)
        default: return (.invalid, 0)
        }
    }
}
