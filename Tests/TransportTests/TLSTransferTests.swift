import Glibc
import Testing

@testable import Transport

@Suite("StreamSocket over TLS: bytes both ways, and how a connection ends", .timeLimit(.minutes(2)))
struct TLSTransferTests {
    private let server: StreamSocket
    private let client: StreamSocket

    /// A connection after its handshake. Its sockets are small, so that writes are partial.
    init() throws {
        let authority = try Authority()
        let context = try TLSServerContext(
            identities: [authority.identity("a.example")], minimumVersion: .v12, clientAuthority: nil,
            tickets: TLSTicketKeys())
        let pair = Pair()
        var size: Int32 = 8192
        for end in [pair.near, pair.far] {
            unsafe setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        server = StreamSocket(descriptor: pair.giveNear())
        client = StreamSocket(descriptor: pair.giveFar())
        let trust = try TLSClientContext(trust: TLSTrust(pem: authority.pem))
        guard server.startTLS(server: context), client.startTLS(client: trust, serverName: "a.example") else {
            throw Authority.Failure()
        }
        let clientSide = client
        let outcome = Negotiation.run(server: server.tls) { clientSide.tls?.handshake() }
        guard outcome.isComplete else { throw Authority.Failure() }
    }

    private static func pattern(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ ($0 >> 9) &+ seed) }
    }

    /// Sends what is left of `output`, as the gateway does: the same buffer, moved or grown in between.
    private func push(_ output: ByteBuffer, to socket: StreamSocket) -> TransferOutcome {
        while !output.isEmpty {
            switch socket.write(output.readable) {
            case .bytes(let count): output.consume(count)
            case let other: return other
            }
        }
        return .bytes(0)
    }

    private func pull(_ input: ByteBuffer, from socket: StreamSocket) -> TransferOutcome {
        while true {
            switch socket.read(into: input, limit: 16 * 1024) {
            case .bytes: if !socket.hasPending { return .bytes(0) }
            case let other: return other
            }
        }
    }

    private func holds(_ buffer: ByteBuffer, _ expected: [UInt8]) -> Bool {
        let bytes = buffer.readable
        return bytes.count == expected.count && bytes.indices.allSatisfy { bytes[$0] == expected[$0] }
    }

    @Test("megabytes go both ways at once through small sockets, with partial writes and a buffer that grows meanwhile")
    func transfers() {
        let (up, down) = (Self.pattern(3_000_000, 1), Self.pattern(2_000_000, 2))
        let (toServer, toClient) = (ByteBuffer(capacity: 64), ByteBuffer(capacity: 64))
        let (atServer, atClient) = (ByteBuffer(capacity: 64), ByteBuffer(capacity: 64))
        var (sentUp, sentDown, waits) = (0, 0, 0)
        for _ in 0..<20_000 where atServer.readableCount < up.count || atClient.readableCount < down.count {
            let moreUp = min(up.count - sentUp, 7001)
            toServer.append(up.span, sentUp..<sentUp + moreUp)
            sentUp += moreUp
            let moreDown = min(down.count - sentDown, 50_001)
            toClient.append(down.span, sentDown..<sentDown + moreDown)
            sentDown += moreDown
            if push(toServer, to: client) == .needsWritable { waits += 1 }
            if push(toClient, to: server) == .needsWritable { waits += 1 }
            #expect(pull(atServer, from: server) != .failed && pull(atClient, from: client) != .failed)
        }
        #expect(holds(atServer, up) && holds(atClient, down))
        #expect(waits > 0, "the sockets were full at times")
    }

    @Test("an empty write is nothing, an empty read waits")
    func nothing() {
        let empty: [UInt8] = []
        #expect(server.write(empty.span) == .bytes(0))
        #expect(server.read(into: ByteBuffer(capacity: 64), limit: 16) == .needsReadable)
        #expect(!server.hasPending)
    }

    @Test("what one read leaves inside the TLS layer is announced as pending")
    func pending() {
        let bytes = Self.pattern(3000, 0)
        #expect(client.write(bytes.span) == .bytes(3000))
        #expect(client.write(bytes.span) == .bytes(3000))
        let input = ByteBuffer(capacity: 1024)
        var reads = 0
        repeat {
            #expect(server.read(into: input, limit: 1) != .needsReadable)
            reads += 1
        } while server.hasPending && reads < 100
        #expect(reads > 1 && holds(input, bytes + bytes))
    }

    @Test("close_notify is an end, for both sides")
    func closes() {
        let input = ByteBuffer(capacity: 64)
        #expect(server.write([1, 2].span) == .bytes(2))
        server.shutDownWriting()
        #expect(client.read(into: input, limit: 16) == .bytes(2))
        #expect(client.read(into: input, limit: 16) == .ended)
        #expect(client.write([3].span) == .bytes(1), "the other direction is still open")
        #expect(server.read(into: input, limit: 16) == .bytes(1))
        client.close()
        #expect(server.read(into: input, limit: 16) == .ended)
    }

    @Test("an upstream's end without close_notify is a failure: the answer may be cut")
    func truncation() {
        #expect(server.write([1].span) == .bytes(1))
        server.reset()
        let input = ByteBuffer(capacity: 64)
        #expect(client.read(into: input, limit: 16) == .bytes(1))
        #expect(client.read(into: input, limit: 16) == .failed)
    }

    @Test("a client's end without close_notify is an end: requests say themselves how long they are")
    func clientLeaves() {
        client.reset()
        let outcome = server.read(into: ByteBuffer(capacity: 64), limit: 16)
        #expect(outcome == .ended || outcome == .failed)
        let write = server.write([1].span)
        #expect(write == .failed || write == .bytes(1))
    }

    @Test("a record that was tampered with breaks the connection")
    func tampers() {
        var record: [UInt8] = [23, 3, 3, 0, 40] + [UInt8](repeating: 0xaa, count: 40)
        let sent = unsafe record.withUnsafeMutableBytes { unsafe send(client.descriptor, $0.baseAddress, $0.count, 0) }
        #expect(sent == 45)
        #expect(server.read(into: ByteBuffer(capacity: 64), limit: 16) == .failed)
        #expect(server.read(into: ByteBuffer(capacity: 64), limit: 16) == .failed, "and stays broken")
    }

    @Test("closing before the handshake is over sends nothing and does not crash")
    func closesEarly() throws {
        let context = try TLSServerContext(
            identities: [Authority().identity("a.example")], minimumVersion: .v12, clientAuthority: nil,
            tickets: TLSTicketKeys())
        let pair = Pair()
        let early = StreamSocket(descriptor: pair.giveNear())
        #expect(early.startTLS(server: context))
        early.close()
        early.shutDownWriting()
        var byte: UInt8 = 0
        #expect(unsafe recv(pair.far, &byte, 1, 0) == 0)
    }
}
