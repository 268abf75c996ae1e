internal import Dispatch
internal import Synchronization

/// Where passwords are hashed: beside everything else, so many at once, and so many waiting.
public final class HashQueue: Sendable {
    /// Hashes that wait at most, beyond those that run.
    public static let waitingAtMost = 64

    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let width: Int
    private let waitingLimit: Int
    private let queue = DispatchQueue(label: "gatehouse.hashing", qos: .utility, attributes: .concurrent)
    private let state = Mutex(State())

    /// A queue that runs `width` hashes at once and lets `waiting` wait.
    public init(width: Int, waiting: Int = HashQueue.waitingAtMost) {
        self.width = max(width, 1)
        waitingLimit = waiting
    }

    /// Hashes that run or wait.
    public var load: Int { state.withLock { $0.running + $0.waiting.count } }

    /// Runs `work` on the queue's own threads as soon as it is its turn. False when too many wait: it is not run.
    public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
        enum Place { case now, later, nowhere }
        let place = state.withLock { state in
            if state.running < width {
                state.running += 1
                return Place.now
            }
            guard state.waiting.count < waitingLimit else { return .nowhere }
            state.waiting.append(work)
            return .later
        }
        if case .now = place { queue.async { [self] in run(work) } }
        if case .nowhere = place { return false }
        return true
    }

    /// One piece of work, and then what waits, one after the other.
    private func run(_ first: @escaping @Sendable () -> Void) {
        var next: (@Sendable () -> Void)? = first
        while let work = next {
            work()
            next = state.withLock { state in
                if state.waiting.isEmpty {
                    state.running -= 1
                    return nil
                }
                return state.waiting.removeFirst()
            }
        }
    }
}
