import Glibc
import Testing

@testable import Transport

@Suite("Sockets: listening, connecting, accepting", .timeLimit(.minutes(2)))
struct SocketsTests {
    private static let loopbacks = ["127.0.0.1", "::1"]

    private func path(_ name: String) -> String {
        "/tmp/transport-\(getpid())-\(name)-\(UInt32.random(in: 0 ... .max))"
    }

    /// Waits until one of the sockets can be read or written, at most five seconds.
    private func wait(_ descriptor: Int32, _ events: Int32 = POLLIN) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&entry, 1, 5000) == 1
    }

    /// The two ends of a connection over loopback.
    private func connected() throws -> (client: StreamSocket, server: StreamSocket) {
        let listener = try Sockets.listen(at: try #require(SocketAddress(host: "127.0.0.1", port: 0)))
        defer { Sockets.close(listener) }
        let (descriptor, _) = try Sockets.connect(to: try #require(Sockets.localAddress(of: listener)))
        let client = StreamSocket(descriptor: descriptor)
        #expect(wait(listener))
        let (accepted, _) = try #require(try Sockets.accept(listener))
        return (client, StreamSocket(descriptor: accepted))
    }

    @Test("a connection is made, accepted with the peer's address, and carries bytes", arguments: loopbacks)
    func connects(host: String) throws {
        let listener = try Sockets.listen(at: try #require(SocketAddress(host: host, port: 0)))
        defer { Sockets.close(listener) }
        let address = try #require(Sockets.localAddress(of: listener))
        #expect(try Sockets.accept(listener) == nil, "nobody waits")
        let (descriptor, ready) = try Sockets.connect(to: address)
        let client = StreamSocket(descriptor: descriptor)
        if !ready { #expect(wait(descriptor, POLLOUT)) }
        #expect(client.takeError() == 0)
        #expect(wait(listener))
        let (accepted, peer) = try #require(try Sockets.accept(listener))
        let server = StreamSocket(descriptor: accepted)
        #expect(peer == Sockets.localAddress(of: descriptor))
        #expect(peer.hostText == host && peer.isLocal)
        let flags = fcntl(accepted, F_GETFL)
        #expect(flags & O_NONBLOCK != 0 && fcntl(accepted, F_GETFD) & FD_CLOEXEC != 0)
        #expect(client.write(Array("hello".utf8).span) == .bytes(5))
        #expect(wait(accepted))
        let buffer = ByteBuffer(capacity: 64)
        #expect(server.read(into: buffer, limit: 16) == .bytes(5))
        #expect(server.read(into: buffer, limit: 16) == .needsReadable)
        client.shutDownWriting()
        #expect(wait(accepted))
        #expect(server.read(into: buffer, limit: 16) == .ended)
        server.close()
        #expect(server.descriptor == -1)
        server.close()
        server.reset()
    }

    @Test("what is held leaves with the next write, when it is released, or with the end of the connection")
    func holds() throws {
        let (client, server) = try connected()
        let buffer = ByteBuffer(capacity: 64)
        /// As OpenSSL writes a ticket: past `write`.
        func handshakeSays(_ text: StaticString) {
            unsafe send(server.descriptor, text.utf8Start, text.utf8CodeUnitCount, 0)
        }
        func received() -> String {
            buffer.removeAll()
            usleep(20_000)
            _ = client.read(into: buffer, limit: 16)
            let bytes = buffer.readable
            return String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
        }
        server.holdUntilNextWrite()
        server.holdUntilNextWrite()
        handshakeSays("ticket ")
        #expect(received() == "")
        #expect(server.write(Array("answer".utf8).span) == .bytes(6))
        #expect(received() == "ticket answer")
        #expect(server.write([65].span) == .bytes(1))
        #expect(received() == "A", "and nothing is held from there on")
        server.holdUntilNextWrite()
        handshakeSays("ticket")
        server.release()
        #expect(received() == "ticket")
        server.holdUntilClosed()
        #expect(server.write([66].span) == .bytes(1))
        server.release()
        #expect(received() == "")
        server.close()
        #expect(received() == "B")
        #expect(client.read(into: buffer, limit: 16) == .ended)
    }

    @Test("a reset is seen as a failure, never as an end")
    func resets() throws {
        let (client, server) = try connected()
        server.reset()
        #expect(wait(client.descriptor))
        #expect(client.read(into: ByteBuffer(capacity: 64), limit: 16) == .failed)
        #expect(client.write([1].span) == .failed, "and no signal")
    }

    @Test("a connection to where nobody listens fails with the system's reason")
    func refused() throws {
        let listener = try Sockets.listen(at: try #require(SocketAddress(host: "127.0.0.1", port: 0)))
        let address = try #require(Sockets.localAddress(of: listener))
        Sockets.close(listener)
        do throws(SocketError) {
            let (descriptor, _) = try Sockets.connect(to: address)
            let socket = StreamSocket(descriptor: descriptor)
            #expect(wait(descriptor, POLLOUT))
            #expect(socket.takeError() == ECONNREFUSED)
        } catch { #expect(error.number == ECONNREFUSED) }
    }

    @Test("each shard may listen at the same address, a stranger may not", arguments: loopbacks)
    func taken(host: String) throws {
        let first = try Sockets.listen(at: try #require(SocketAddress(host: host, port: 0)))
        let address = try #require(Sockets.localAddress(of: first))
        let second = try Sockets.listen(at: address)
        #expect(Sockets.isTaken(address))
        Sockets.close(first)
        #expect(Sockets.isTaken(address))
        Sockets.close(second)
        #expect(!Sockets.isTaken(address))
    }

    @Test("an address that is not this machine's is no address to listen at, but is not taken either")
    func notOurs() throws {
        let address = try #require(SocketAddress(host: "192.0.2.1", port: 0))
        #expect(throws: SocketError.self) { _ = try Sockets.listen(at: address) }
        #expect(!Sockets.isTaken(address))
    }

    @Test("a Unix path is served, kept from a second one, and taken over when its owner is gone")
    func unixSocket() throws {
        let path = path("socket")
        defer { unsafe unlink(path) }
        let address = SocketAddress.unix(path)
        let first = try Sockets.listen(at: address)
        let (descriptor, ready) = try Sockets.connect(to: address)
        let client = StreamSocket(descriptor: descriptor)
        #expect(ready)
        let (accepted, peer) = try #require(try Sockets.accept(first))
        #expect(peer == .unix("") && peer.isLocal)
        let server = StreamSocket(descriptor: accepted)
        #expect(client.write([7].span) == .bytes(1))
        #expect(server.read(into: ByteBuffer(capacity: 64), limit: 1) == .bytes(1))
        #expect(throws: SocketError.self) { _ = try Sockets.listen(at: address) }
        let other = Sockets.duplicate(first)
        Sockets.close(first)
        #expect(throws: SocketError.self, "a duplicate still listens") { _ = try Sockets.listen(at: address) }
        Sockets.close(other)
        let heir = try Sockets.listen(at: address)
        Sockets.close(heir)
        #expect(throws: SocketError.self) { _ = try Sockets.connect(to: address) }
    }

    @Test("a file that is no socket is never replaced")
    func keepsFiles() throws {
        let path = path("file")
        let descriptor = unsafe open(path, O_CREAT | O_WRONLY, 0o600)
        defer { unsafe unlink(path) }
        close(descriptor)
        #expect(throws: SocketError.self) { _ = try Sockets.listen(at: .unix(path)) }
        #expect(unsafe access(path, F_OK) == 0, "it may be anything, the key store for example")
    }

    @Test("a Unix path that does not fit is refused")
    func longPath() {
        let address = SocketAddress.unix("/tmp/" + String(repeating: "p", count: 200))
        #expect(throws: SocketError.self) { _ = try Sockets.listen(at: address) }
        #expect(throws: SocketError.self) { _ = try Sockets.connect(to: address) }
    }

    @Test("a socket that nobody reads takes what fits and then asks to wait")
    func fills() {
        let pair = Pair()
        let socket = StreamSocket(descriptor: pair.giveNear())
        let bytes = [UInt8](repeating: 1, count: 64 * 1024)
        var sent = 0
        loop: while sent < 64 << 20 {
            switch socket.write(bytes.span) {
            case .bytes(let count): sent += count
            case .needsWritable: break loop
            default:
                Issue.record("neither sent nor full")
                break loop
            }
        }
        #expect(sent > 0 && sent < 64 << 20)
    }

    @Test("numeric hosts need no look-up, and localhost is this machine")
    func resolves() {
        #expect(Resolver.lookUp(host: "192.0.2.7", port: 9).map(\.description) == ["192.0.2.7:9"])
        #expect(Resolver.lookUp(host: "::1", port: 9).map(\.description) == ["[::1]:9"])
        let local = Resolver.lookUp(host: "localhost", port: 9)
        #expect(local.allSatisfy { $0.isLocal })
        #expect(Resolver.lookUp(host: "no such host.invalid", port: 9).isEmpty)
    }
}
