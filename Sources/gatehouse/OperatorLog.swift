import Dispatch
import Glibc
import Synchronization

/// Lines for the operator on stderr, written on a queue of their own: a reader that stalls stalls nobody who logs. Beyond
/// 1,024 waiting lines the newest are dropped, and counted in the next line that finds room.
final class OperatorLog: Sendable {
    private static let waitingLimit = 1_024

    private struct State {
        var waiting = 0
        var dropped = 0
    }

    private let queue = DispatchQueue(label: "gatehouse.operator-log")
    private let state = Mutex(State())

    /// Writes a line, which has no line end, some time soon.
    func write(_ line: String) {
        let dropped: Int? = state.withLock { state in
            guard state.waiting < Self.waitingLimit else {
                state.dropped += 1
                return nil
            }
            state.waiting += 1
            defer { state.dropped = 0 }
            return state.dropped
        }
        guard let dropped else { return }
        queue.async { [self] in
            emit(dropped == 0 ? line : "\(line) dropped_before=\(dropped)")
            state.withLock { $0.waiting -= 1 }
        }
    }

    /// Waits until what was logged is written, at most a second.
    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .seconds(1))
    }

    private func emit(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes {
                unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count)
            }
            if count < 0 && errno != EINTR { return }
            written += max(count, 0)
        }
    }
}
