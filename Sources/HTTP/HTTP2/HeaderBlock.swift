public import Transport

/// One HTTP/2 header block as it comes in, and what it is as the text of an HTTP/1.1 head, so that both versions are
/// judged by the same parsers and meet the same exchange (RFC 9113 §8.2, §8.3).
///
/// Used again for each block of a connection: blocks never interleave (RFC 9113 §4.3). nghttp2 has checked the names,
/// the order of the pseudo-header fields and what may not come at all; this checks once more the bytes that would change
/// the meaning of the text. Bounds: what is kept stops at `limit`, what is counted at `listAtMost`.
public struct HeaderBlock {
    /// Why a block cannot become a head.
    public enum Fault: Sendable, Equatable {
        /// The stream ends with PROTOCOL_ERROR (RFC 9113 §8.1.1).
        case malformed
        /// The list is longer than the limit: 431.
        case tooLarge
        /// Far longer: the connection ends with ENHANCE_YOUR_CALM.
        case flood
    }

    /// A list of so many bytes, counted as SETTINGS_MAX_HEADER_LIST_SIZE does, ends the connection, unless the limit is so
    /// large that four times as many are needed.
    public static let listAtMost = 1 << 20

    private let limit: Int
    private let lines = ByteBuffer(capacity: 2048)
    private var method: [UInt8] = []
    private var path: [UInt8] = []
    private var authority: [UInt8] = []
    private var status: [UInt8] = []
    private var cookies: [UInt8] = []
    private var listSize = 0
    /// The value of `:protocol` (RFC 8441 §4); empty without one.
    public private(set) var protocolName: [UInt8] = []
    /// What is wrong; nil when nothing is.
    public private(set) var fault: Fault?

    /// A block of at most `limit` bytes of text.
    public init(limit: Int) { self.limit = limit }

    /// Begins a new block.
    public mutating func begin() {
        lines.removeAll()
        method.removeAll(keepingCapacity: true)
        path.removeAll(keepingCapacity: true)
        authority.removeAll(keepingCapacity: true)
        status.removeAll(keepingCapacity: true)
        cookies.removeAll(keepingCapacity: true)
        protocolName.removeAll(keepingCapacity: true)
        listSize = 0
        fault = nil
    }

    /// Takes a field.
    public mutating func add(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        listSize += name.count + value.count + 32
        if listSize > max(Self.listAtMost, 4 * limit) { fault = .flood }
        guard fault == nil else { return }
        guard listSize <= limit + 4096 else { return fault = .tooLarge }
        if name.count > 0, name[0] == UInt8(ascii: ":") { return addPseudo(name, value) }
        guard isPlainName(name), FieldSyntax.isFieldValue(value) else { return fault = .malformed }
        if TextName.equals(name, "cookie") {
            // RFC 9113 §8.2.3: split for compression, joined for everybody else.
            if !cookies.isEmpty { cookies += [UInt8(ascii: ";"), UInt8(ascii: " ")] }
            cookies.append(copying: value)
            return
        }
        // The same as `:authority`; another one goes on into the text, where two hosts are refused.
        if TextName.equals(name, "host"), !authority.isEmpty, TextName.equalFolded(value, authority.span) { return }
        lines.append(name)
        lines.append(": ")
        lines.append(value)
        lines.append("\r\n")
    }

    /// RFC 9113 §8.2.1: a token without upper-case letters.
    private func isPlainName(_ name: Span<UInt8>) -> Bool {
        guard FieldSyntax.isToken(name) else { return false }
        for index in name.indices where name[index] &- 0x41 < 26 { return false }
        return true
    }

    private func isPlain(_ value: Span<UInt8>) -> Bool {
        for index in value.indices where value[index] <= 0x20 || value[index] == 0x7f { return false }
        return true
    }

    private mutating func addPseudo(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        // Any of these goes into a line of which blanks and controls decide the meaning.
        guard isPlain(value) else { return fault = .malformed }
        if TextName.equals(name, ":method") {
            method.append(copying: value)
        } else if TextName.equals(name, ":path") {
            path.append(copying: value)
        } else if TextName.equals(name, ":authority") {
            authority.append(copying: value)
        } else if TextName.equals(name, ":protocol") {
            protocolName.append(copying: value)
        } else if TextName.equals(name, ":status") {
            status.append(copying: value)
        } else if !TextName.equals(name, ":scheme") {
            fault = .malformed
        }
    }

    /// The block is a plain CONNECT, which nobody is served (RFC 9113 §8.5).
    public var isTunnelRequest: Bool { TextName.equals(method.span, "CONNECT") && protocolName.isEmpty }

    /// Appends the text of a request. One with `:protocol` becomes the upgrade that an HTTP/1.1 server understands
    /// (RFC 8441 §5), with `key` as its `Sec-WebSocket-Key`.
    public func appendRequest(webSocketKey key: [UInt8], to text: ByteBuffer) {
        let isUpgrade = !protocolName.isEmpty
        if isUpgrade { text.append("GET") } else { text.append(method) }
        text.append(" ")
        text.append(path)
        text.append(" HTTP/1.1\r\n")
        if !authority.isEmpty {
            text.append("host: ")
            text.append(authority)
            text.append("\r\n")
        }
        text.append(lines.readable)
        if !cookies.isEmpty {
            text.append("cookie: ")
            text.append(cookies)
            text.append("\r\n")
        }
        if isUpgrade {
            text.append("connection: upgrade\r\nupgrade: ")
            text.append(protocolName)
            text.append("\r\nsec-websocket-key: ")
            text.append(key)
            text.append("\r\n")
        }
        text.append("\r\n")
    }

    /// It has a `:status`: it begins an answer, else it is a trailer section.
    var hasStatus: Bool { !status.isEmpty }

    /// Appends the text of a response.
    public func appendResponse(to text: ByteBuffer) {
        text.append("HTTP/1.1 ")
        text.append(status)
        text.append(" \r\n")
        text.append(lines.readable)
        text.append("\r\n")
    }

    /// The lines of a trailer section that may be passed on.
    public var trailers: [UInt8] { TrailerLines.kept(lines.readable) }
}

/// Comparisons with known names.
enum TextName {
    static func equals(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return ByteScan.equalFolded(bytes, ByteRange(start: 0, count: bytes.count), text)
    }

    static func equalFolded(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
        guard one.count == other.count else { return false }
        for index in one.indices where one[index] != other[index] {
            let (left, right) = (one[index] | 0x20, other[index] | 0x20)
            guard left == right, left &- 0x61 < 26 else { return false }
        }
        return true
    }
}

extension Array where Element == UInt8 {
    /// Appends the bytes of a span.
    mutating func append(copying bytes: Span<UInt8>) {
        for index in bytes.indices { append(bytes[index]) }
    }
}
