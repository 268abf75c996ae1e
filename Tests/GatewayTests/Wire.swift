import Glibc
import Transport

/// A blocking connection, for the peers of the gateway. No call takes longer than five seconds.
final class Wire: @unchecked Sendable {
    private let descriptor: Int32
    private var held: [UInt8] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    convenience init(to address: SocketAddress) throws { self.init(try Sockets.connect(to: address).descriptor) }

    deinit { close(descriptor) }

    /// Sends all of it; false when the peer does not take it.
    @discardableResult
    func send(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let sent = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// Bytes that the peer takes before it takes none for half a second, at most `most`.
    func stuff(_ text: String, most: Int) -> Int {
        var limit = timeval(tv_sec: 0, tv_usec: 500_000)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let bytes = Array(text.utf8)
        var total = 0
        while total < most {
            // Over and over the same text, from where the last piece ended.
            let sent = unsafe bytes[(total % bytes.count)...].withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { break }
            total += sent
        }
        return total
    }

    /// Takes `count` bytes; fewer at the end of the connection or after five seconds.
    func read(_ count: Int) -> String {
        while held.count < count, fill() {}
        defer { held.removeFirst(min(count, held.count)) }
        return String(decoding: held.prefix(count), as: UTF8.self)
    }

    /// Takes a head, and the body that `Content-Length` announces; nil at the end.
    func readMessage(hasBody: Bool = true) -> String? {
        var searched = 0
        while true {
            if let end = Self.headEnd(held, from: searched) {
                let head = String(decoding: held[..<end], as: UTF8.self)
                let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length: ") }
                held.removeFirst(end)
                return head + read(hasBody ? length.flatMap { Int($0.dropFirst(16)) } ?? 0 : 0)
            }
            searched = max(0, held.count - 3)
            guard fill() else { return nil }
        }
    }

    /// The peer has ended the connection, and nothing else came.
    var isEnded: Bool { held.isEmpty && !fill() }

    private func fill() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let got = unsafe recv(descriptor, &bytes, bytes.count, 0)
        if got > 0 { held += bytes[..<got] }
        return got > 0
    }

    private static func headEnd(_ bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for place in start...(bytes.count - 4)
        where bytes[place] == 13 && bytes[place + 1] == 10 && bytes[place + 2] == 13 && bytes[place + 3] == 10 {
            return place + 4
        }
        return nil
    }
}
