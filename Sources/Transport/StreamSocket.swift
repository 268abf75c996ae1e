import CLinux
import Glibc

/// One connected byte stream: a non-blocking socket, with TLS or without.
///
/// Invariant: owns `descriptor` until `close`, which happens once; used on its shard's queue only.
public final class StreamSocket {
    /// The socket; -1 once closed.
    public private(set) var descriptor: Int32
    /// The TLS layer, where there is one.
    public private(set) var tls: TLSSession?
    private var hold = Hold.none

    private enum Hold {
        case none
        case untilNextWrite
        case untilReleased
        case untilClosed
    }

    /// Takes over a connected or connecting socket.
    public init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { closeDescriptor() }

    /// Puts a TLS server on top; false when memory is out.
    public func startTLS(server context: TLSServerContext) -> Bool {
        tls = TLSSession(server: context, descriptor: descriptor)
        return tls != nil
    }

    /// Puts a TLS client on top; false when the name cannot be checked.
    public func startTLS(client context: TLSClientContext, serverName: String, offersHTTP2: Bool = false) -> Bool {
        tls = TLSSession(
            client: context, descriptor: descriptor, serverName: serverName, offersHTTP2: offersHTTP2)
        return tls != nil
    }

    /// Reads what one call gives, at least `limit` bytes of room, into `buffer`.
    @inline(__always)
    public func read(into buffer: ByteBuffer, limit: Int) -> TransferOutcome {
        if let tls { return tls.read(into: buffer, limit: limit) }
        let got = unsafe buffer.fill(limit) { place, room in unsafe recv(descriptor, place, room, 0) }
        if got > 0 { return .bytes(got) }
        if got == 0 { return .ended }
        return clinux_errno() == EAGAIN || clinux_errno() == EINTR ? .needsReadable : .failed
    }

    /// Bytes wait inside the TLS layer that the socket will not announce again.
    @inline(__always)
    public var hasPending: Bool { tls?.hasPending ?? false }

    /// Sends what the socket takes.
    @inline(__always)
    public func write(_ bytes: Span<UInt8>) -> TransferOutcome {
        defer { if hold == .untilNextWrite { release() } }
        if let tls { return tls.write(bytes) }
        let sent = unsafe bytes.withUnsafeBufferPointer {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if sent >= 0 { return .bytes(sent) }
        return clinux_errno() == EAGAIN || clinux_errno() == EINTR ? .needsWritable : .failed
    }

    // MARK: Fewer packets

    /// What the handshake says from now on, a session ticket, leaves with the next `write`, or by `release`. The kernel holds
    /// it for 200 ms, or for the retransmission time where that is longer.
    public func holdUntilNextWrite() {
        if hold == .none { setHold(.untilNextWrite) }
    }

    /// What is written from now on leaves with the end of the connection, in one packet where it is short.
    public func holdUntilClosed() {
        if hold == .none { cork(true) }
        hold = .untilClosed
    }

    /// So many bytes go out by several calls: TLS sends each record by itself. They fill packets until `release`.
    @inline(__always)
    public func holdRecords(of count: Int) {
        if count > Self.recordSize, tls != nil, hold == .none { setHold(.untilReleased) }
    }

    /// What a TLS record carries at most (RFC 8446 §5.1).
    private static let recordSize = 16 * 1024

    /// Sends what is held, unless it waits for the end of the connection.
    @inline(__always)
    public func release() {
        if hold == .untilNextWrite || hold == .untilReleased { setHold(.none) }
    }

    private func setHold(_ wanted: Hold) {
        hold = wanted
        cork(wanted != .none)
    }

    /// A Unix socket knows no packets and refuses, which does no harm.
    private func cork(_ isOn: Bool) {
        var value: Int32 = isOn ? 1 : 0
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The result of a non-blocking `connect`: 0 or an error number.
    public func takeError() -> Int32 {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        return result == 0 ? error : clinux_errno()
    }

    /// Whether `close` can take nothing from the peer. A reset, which drops what is on its way, follows when bytes are unread,
    /// or when more of them come before the last of ours has arrived (RFC 9112 §9.6).
    public var canCloseAtOnce: Bool {
        clinux_unread(descriptor) == 0 && clinux_unacknowledged(descriptor) <= Self.firstFlight
    }

    /// What a connection sends before the first acknowledgement: ten segments (RFC 6928 §2).
    private static let firstFlight = 10 * 1460

    /// Ends our side: TLS says `close_notify`, the kernel sends FIN; the peer may still send.
    public func shutDownWriting() {
        guard descriptor >= 0 else { return }
        tls?.sendCloseNotify()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes the socket in order.
    public func close() {
        // TLS remembers the number of a descriptor that may be somebody else's by now.
        if descriptor >= 0 { tls?.sendCloseNotify() }
        // The kernel would drop what is held if the peer has said something that nobody read.
        if descriptor >= 0, hold != .none { shutdown(descriptor, Int32(SHUT_WR)) }
        closeDescriptor()
    }

    /// Closes the socket so that the peer sees a reset, never a regular end.
    public func reset() {
        if descriptor >= 0 {
            var linger = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }
        closeDescriptor()
    }

    private func closeDescriptor() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }
}
