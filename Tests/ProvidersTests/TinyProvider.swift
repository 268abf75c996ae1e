import Configuration
import Foundation
import Synchronization
import Testing
import Transport

/// A provider on loopback that answers as a test says, over TLS, on kept connections. It ends with its last reference.
final class TinyProvider: Sendable {
    /// What it was asked.
    struct Request: Sendable {
        /// `GET /path HTTP/1.1`
        let line: String
        /// The fields, with the line.
        let head: String
        let body: String

        var path: String { String(line.split(separator: " ")[1]) }
    }

    /// What it answers.
    struct Reply: Sendable {
        let bytes: [UInt8]
        /// The connection ends behind it.
        var closes = false

        /// Bytes as they are.
        static func raw(_ text: String, closes: Bool = true) -> Reply { Reply(bytes: Array(text.utf8), closes: closes) }

        /// A whole answer; `fields` are lines with their CRLF.
        static func json(
            _ body: String, status: String = "200 OK", type: String = "application/json", fields: String = ""
        ) -> Reply {
            raw(
                "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)",
                closes: false)
        }

        static func redirect(_ location: String, status: String = "302 Found") -> Reply {
            json("", status: status, fields: "Location: \(location)\r\n")
        }
    }

    typealias Answer = @Sendable (Request) -> Reply

    let port: UInt16
    private let core: Core

    /// `answer` is asked on the threads of connections.
    init(_ certificate: Certificate = .localhost, _ answer: @escaping Answer) throws {
        signal(SIGPIPE, SIG_IGN)
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 0))
        let listener = try Sockets.listen(at: address)
        // `127.0.0.1:PORT`
        let bound = try #require(Sockets.localAddress(of: listener)).description
        port = try #require(bound.split(separator: ":").last.flatMap { UInt16($0) })
        let context = try TLSServerContext(
            identities: [try certificate.identity()], minimumVersion: .v12, clientAuthority: nil,
            tickets: try TLSTicketKeys())
        let core = Core(context: context, answer: answer)
        self.core = core
        Thread { core.accept(listener) }.start()
    }

    deinit { core.isStopped.store(true, ordering: .relaxed) }

    /// Answers otherwise from now on.
    func become(_ answer: @escaping Answer) { core.answer.withLock { $0 = answer } }

    var requests: [Request] { core.requests.withLock { $0 } }
    var connections: Int { core.connections.load(ordering: .relaxed) }

    /// A URL of it.
    func url(_ path: String = "", host: String = "localhost") throws -> RemoteURL {
        try #require(RemoteURL("https://\(host):\(port)\(path)"))
    }

    /// Keys at `location` of it, trusted.
    func keys(_ location: RemoteKeys.Location) throws -> RemoteKeys {
        var keys = RemoteKeys(issuerIndex: 0, location: location)
        keys.trust = try Certificate.localhost.trust()
        return keys
    }

    private final class Core: Sendable {
        let context: TLSServerContext
        let answer: Mutex<Answer>
        let requests = Mutex<[Request]>([])
        let connections = Atomic(0)
        let isStopped = Atomic(false)

        init(context: TLSServerContext, answer: @escaping Answer) {
            self.context = context
            self.answer = Mutex(answer)
        }

        func accept(_ listener: Int32) {
            defer { Sockets.close(listener) }
            while wait(listener, .readable) {
                guard let accepted = try? Sockets.accept(listener) else { continue }
                connections.add(1, ordering: .relaxed)
                let descriptor = accepted.descriptor
                Thread { self.serve(descriptor) }.start()
            }
        }

        /// False once the provider has ended.
        private func wait(_ descriptor: Int32, _ readiness: Sockets.Wait) -> Bool {
            while !isStopped.load(ordering: .relaxed) {
                if Sockets.wait(descriptor, for: readiness, milliseconds: 20) { return true }
            }
            return false
        }

        private func serve(_ descriptor: Int32) {
            let socket = StreamSocket(descriptor: descriptor)
            defer { socket.close() }
            guard socket.startTLS(server: context), let tls = socket.tls, shakeHands(tls, descriptor) else { return }
            let buffer = ByteBuffer(capacity: 4096)
            while let request = next(buffer, socket) {
                requests.withLock { $0.append(request) }
                let answer = answer.withLock { $0 }
                let reply = answer(request)
                guard write(reply.bytes, to: socket), !reply.closes else { return }
            }
        }

        private func shakeHands(_ tls: TLSSession, _ descriptor: Int32) -> Bool {
            while true {
                switch tls.handshake() {
                case .complete: return true
                case .needsReadable: guard wait(descriptor, .readable) else { return false }
                case .needsWritable: guard wait(descriptor, .writable) else { return false }
                case .failed: return false
                }
            }
        }

        private func next(_ buffer: ByteBuffer, _ socket: StreamSocket) -> Request? {
            while true {
                let text = String(decoding: (0..<buffer.readableCount).map { buffer.readable[$0] }, as: UTF8.self)
                if let end = text.firstRange(of: "\r\n\r\n") {
                    let head = String(text[..<end.lowerBound])
                    let body = text[end.upperBound...]
                    let length = head.split(separator: "Content-Length: ").dropFirst().first.flatMap {
                        Int($0.prefix { $0.isNumber })
                    }
                    if body.utf8.count >= length ?? 0 {
                        buffer.removeAll()
                        return Request(
                            line: String(head.prefix { $0 != "\r\n" }), head: head, body: String(body))
                    }
                }
                switch socket.read(into: buffer, limit: 4096) {
                case .bytes: continue
                case .needsReadable: guard wait(socket.descriptor, .readable) else { return nil }
                case .needsWritable: guard wait(socket.descriptor, .writable) else { return nil }
                case .ended, .failed: return nil
                }
            }
        }

        private func write(_ bytes: [UInt8], to socket: StreamSocket) -> Bool {
            var place = 0
            while place < bytes.count {
                switch socket.write(bytes.span.extracting(place..<bytes.count)) {
                case .bytes(let count): place += count
                case .needsReadable: guard wait(socket.descriptor, .readable) else { return false }
                case .needsWritable: guard wait(socket.descriptor, .writable) else { return false }
                case .ended, .failed: return false
                }
            }
            return true
        }
    }
}

/// What happened, on any thread, in order.
final class Journal<Entry: Sendable>: Sendable {
    private let content = Mutex<[Entry]>([])

    var entries: [Entry] { content.withLock { $0 } }

    func add(_ entry: Entry) { content.withLock { $0.append(entry) } }

    /// Whether `condition` comes true within ten seconds.
    func comesTrue(_ condition: ([Entry]) -> Bool) -> Bool {
        for _ in 0..<1000 {
            if condition(entries) { return true }
            usleep(10_000)
        }
        return false
    }
}
