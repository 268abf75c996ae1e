import Dispatch
import Glibc
import Synchronization
import Transport

/// An upstream's server of the tests: each request is answered with what `answer` makes of it.
final class TinyUpstream: Sendable {
    let address: SocketAddress
    private let listener: Int32
    private let seen = Mutex<(requests: [String], connections: Int)>(([], 0))

    /// The requests that came whole, heads and bodies.
    var requests: [String] { seen.withLock { $0.requests } }
    var connections: Int { seen.withLock { $0.connections } }

    /// `serve` gets each connection; it returns when the connection shall end.
    init(serve: @escaping @Sendable (Wire, TinyUpstream) -> Void) throws {
        listener = try Sockets.listen(at: .ipv4([127, 0, 0, 1], port: 0))
        address = Sockets.localAddress(of: listener) ?? .unix("")
        DispatchQueue(label: "upstream").async { [self] in
            var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            while unsafe poll(&entry, 1, 60_000) == 1, let accepted = try? Sockets.accept(listener) {
                let wire = Wire(accepted.descriptor)
                seen.withLock { $0.connections += 1 }
                DispatchQueue(label: "upstream connection").async { serve(wire, self) }
            }
        }
    }

    /// Answers every request with 200 and `answer`'s text as body.
    convenience init(answer: @escaping @Sendable (String) -> String) throws {
        try self.init { wire, upstream in
            while let request = wire.readMessage() {
                upstream.note(request)
                let body = answer(request)
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }
    }

    func note(_ request: String) { seen.withLock { $0.requests.append(request) } }

    /// Accepts nobody from now on.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}
