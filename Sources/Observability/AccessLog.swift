public import Dispatch
import Glibc
public import Logging
import Synchronization

/// The access log: takes chunks of whole lines from the shards and writes them on its own serial queue.
///
/// Invariant: `submit` never waits. What is submitted and not yet written is at most `pendingBound` bytes; chunks beyond
/// that, and lines that a failing destination does not take, are dropped and counted. Chunks are written in the order of
/// `submit`. Whatever blocks (a full pipe, a slow disk) blocks the writer's queue only.
public final class AccessLog: Sendable {
    /// Where the lines go.
    public enum Destination: Sendable, Hashable {
        /// An open descriptor, of which a copy is used.
        case descriptor(Int32)
        /// A file, created with mode 0640 and appended to.
        case file(String)

        /// The process's standard output.
        public static let standardOutput = Destination.descriptor(1)
    }

    /// Bytes that may wait to be written, unless the initialiser says otherwise.
    public static let defaultPendingBound = 4 * 1024 * 1024

    private let writer: AccessLogWriter
    private let shared: AccessLogAccount

    /// A log that writes to `destination`, which is opened at once: before privileges are dropped. When it cannot be opened
    /// that is said on `logger` and tried again; lines are dropped and counted meanwhile. SIGPIPE is ignored from now on.
    public init(_ destination: Destination, logger: Logger, pendingBound: Int = AccessLog.defaultPendingBound) {
        signal(SIGPIPE, SIG_IGN)
        shared = AccessLogAccount(bound: pendingBound)
        writer = AccessLogWriter(destination, account: shared, logger: logger)
        writer.queue.async { [writer] in writer.open() }
        writer.queue.sync {}
    }

    /// Lines that were dropped since the start, for `gatehouse_log_dropped_total`.
    public var droppedLines: UInt64 { shared.droppedLines }

    /// Bytes that wait to be written.
    public var pendingBytes: Int { shared.pendingBytes }

    /// Hands over whole lines, each ending in a line feed. Callable from any queue; never waits.
    public func submit(_ chunk: [UInt8]) {
        guard !chunk.isEmpty else { return }
        guard shared.reserve(chunk.count) else {
            shared.drop(linesOf: chunk[...])
            return
        }
        writer.queue.async { [writer] in writer.accept(chunk) }
    }

    /// Opens the file anew, after it was renamed or removed (SIGUSR1). Chunks submitted before go to the old one unless it
    /// does not take them. Until the new one can be opened, the old one is written on.
    public func reopen() {
        writer.queue.async { [writer] in writer.open() }
    }

    /// Makes `user` and `group` own the file, so that it can be opened again after privileges are dropped. Does nothing for
    /// a descriptor.
    public func giveTo(user: UInt32, group: UInt32) {
        writer.queue.async { [writer] in writer.giveTo(user: user, group: group) }
    }

    /// Waits until everything submitted so far is written or dropped; false when `deadline` came first. For shutting down:
    /// the one call here that waits, so never on a shard.
    @discardableResult
    public func flush(deadline: DispatchTime) -> Bool {
        let done = DispatchSemaphore(value: 0)
        writer.queue.async { [writer] in writer.flush(done) }
        return done.wait(timeout: deadline) == .success
    }
}

/// The two numbers that the shards share with the writer.
final class AccessLogAccount: Sendable {
    private let bound: Int
    private let pending = Atomic<Int>(0)
    private let dropped = Atomic<UInt64>(0)

    init(bound: Int) { self.bound = bound }

    var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }
    var pendingBytes: Int { pending.load(ordering: .relaxed) }

    /// Takes `count` bytes of the bound; false when they are not to be had.
    func reserve(_ count: Int) -> Bool {
        let (_, total) = pending.add(count, ordering: .relaxed)
        if total <= bound { return true }
        release(count)
        return false
    }

    /// Gives back what `reserve` took.
    func release(_ count: Int) {
        pending.subtract(count, ordering: .relaxed)
    }

    /// Counts the lines that end in `bytes` as dropped.
    func drop(linesOf bytes: ArraySlice<UInt8>) {
        var lines: UInt64 = 0
        for byte in bytes where byte == UInt8(ascii: "\n") { lines += 1 }
        dropped.add(lines, ordering: .relaxed)
    }
}
