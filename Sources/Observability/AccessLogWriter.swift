import Dispatch
import Glibc
import Logging

/// The writing half of `AccessLog`.
///
/// Invariant: confined to `queue`, which is why it may be `Sendable` although nothing is locked. What is pending is `chunks`
/// from `head` on; `written` bytes of the first of them are out already. A block on the queue waits for a reader at most
/// `patienceMilliseconds`, so that reopening and flushing get their turn. When an attempt to open or write fails, what is
/// pending is dropped and counted; then chunks gather, within the account's bound, until the next attempt.
final class AccessLogWriter: @unchecked Sendable {
    let queue = DispatchQueue(label: "gatehouse.access-log", qos: .utility)

    private static let patienceMilliseconds: Int32 = 100

    private let destination: AccessLog.Destination
    private let account: AccessLogAccount
    private let logger: Logger
    private var output: LogOutput?
    private var chunks: [[UInt8]] = []
    private var head = 0
    private var written = 0
    private var owesLineFeed = false  // a line was cut by a failure: the next must not continue it
    private var isOpenScheduled = false
    private var isWriteScheduled = false
    private var openDelay = RetryDelay()
    private var writeDelay = RetryDelay()
    private var isOpenFailing = false
    private var isWriteFailing = false
    private var flushes: [DispatchSemaphore] = []

    init(_ destination: AccessLog.Destination, account: AccessLogAccount, logger: Logger) {
        self.destination = destination
        self.account = account
        self.logger = logger
    }

    /// Opens the destination, or opens it anew; on failure keeps what was open and tries again later.
    func open() {
        dispatchPrecondition(condition: .onQueue(queue))
        switch destination {
        case .descriptor(let descriptor):
            if output == nil { output = .copy(of: descriptor) }
        case .file(let path):
            do { output = try LogOutput.file(path) } catch { return openFailed(path, error) }
            rewindToLine()
        }
        openDelay.reset()
        if isOpenFailing {
            isOpenFailing = false
            logger.notice("the access log is open again; \(account.droppedLines) lines were dropped so far")
        }
        write()
    }

    func accept(_ chunk: [UInt8]) {
        dispatchPrecondition(condition: .onQueue(queue))
        chunks.append(chunk)
        if !isWriteScheduled { write() }
    }

    /// Signals `done` once nothing is pending.
    func flush(_ done: DispatchSemaphore) {
        dispatchPrecondition(condition: .onQueue(queue))
        flushes.append(done)
        if output == nil { open() }
        write()
    }

    func giveTo(user: UInt32, group: UInt32) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard case .file(let path) = destination, output != nil else { return }
        if output?.give(toUser: user, group: group) == false {
            logger.warning("the access log \(path) cannot be given to user \(user): reopening it may fail")
        }
    }

    /// Writes what is pending, as far as the destination takes it. Without one the next attempt to open decides.
    private func write() {
        while head < chunks.count, output != nil {
            let outcome =
                owesLineFeed
                ? output?.write([UInt8(ascii: "\n")], from: 0, patience: Self.patienceMilliseconds)
                : output?.write(chunks[head], from: written, patience: Self.patienceMilliseconds)
            switch outcome {
            case .wrote(let count): advance(count)
            case .notReady, nil: return scheduleWrite(afterMilliseconds: 1)
            case .failed(let number): return writeFailed(SystemFailure(number: number))
            }
        }
        if head == chunks.count { finish() }
    }

    private func advance(_ count: Int) {
        if owesLineFeed {
            owesLineFeed = false
            return
        }
        written += count
        guard written == chunks[head].count else { return }
        account.release(written)
        chunks[head] = []
        head += 1
        written = 0
        if head >= 1024, head * 2 > chunks.count {
            chunks.removeFirst(head)
            head = 0
        }
        if isWriteFailing {
            isWriteFailing = false
            writeDelay.reset()
            logger.notice("the access log is written again; \(account.droppedLines) lines were dropped so far")
        }
    }

    /// Nothing is pending.
    private func finish() {
        chunks.removeAll(keepingCapacity: chunks.count < 1024)
        head = 0
        written = 0
        for done in flushes { done.signal() }
        flushes.removeAll()
    }

    private func dropPending() {
        while head < chunks.count {
            account.drop(linesOf: chunks[head][written...])
            account.release(chunks[head].count)
            head += 1
            written = 0
        }
        finish()
    }

    private func writeFailed(_ failure: SystemFailure) {
        if written > 0, chunks[head][written - 1] != UInt8(ascii: "\n") { owesLineFeed = true }
        dropPending()
        if !isWriteFailing {
            isWriteFailing = true
            complain("cannot be written", failure)
        }
        scheduleWrite(afterMilliseconds: writeDelay.next())
    }

    private func openFailed(_ path: String, _ failure: SystemFailure) {
        if output == nil { dropPending() }
        if !isOpenFailing {
            isOpenFailing = true
            complain("\(path) cannot be opened", failure)
        }
        guard !isOpenScheduled else { return }
        isOpenScheduled = true
        queue.asyncAfter(deadline: .now() + .milliseconds(openDelay.next())) { [weak self] in
            guard let self else { return }
            isOpenScheduled = false
            open()
        }
    }

    private func scheduleWrite(afterMilliseconds delay: Int) {
        guard !isWriteScheduled else { return }
        isWriteScheduled = true
        queue.asyncAfter(deadline: .now() + .milliseconds(delay)) { [weak self] in
            guard let self else { return }
            isWriteScheduled = false
            write()
        }
    }

    /// A line that was begun in the old file is written whole into the new one.
    private func rewindToLine() {
        owesLineFeed = false
        while written > 0, chunks[head][written - 1] != UInt8(ascii: "\n") { written -= 1 }
    }

    private func complain(_ what: String, _ failure: SystemFailure) {
        logger.warning(
            "the access log \(what): \(failure.reason); lines are dropped and counted until it can")
    }
}

/// How long to wait before the next attempt: 100 ms, doubling up to 2 s.
private struct RetryDelay {
    private static let first = 100
    private static let last = 2000
    private var milliseconds = first

    mutating func next() -> Int {
        defer { milliseconds = min(milliseconds * 2, Self.last) }
        return milliseconds
    }

    mutating func reset() { milliseconds = Self.first }
}
