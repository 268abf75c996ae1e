internal import Dispatch
internal import Synchronization
internal import Transport

/// A serial queue of requests that wait for the store, with a bound.
final class WorkLane: Sendable {
    /// Nanoseconds that a request waits for its turn at most: its client would rather hear that.
    static let patience: Int64 = 3_000_000_000

    private let queue: DispatchQueue
    private let waitingAtMost: Int
    private let waiting = Atomic(0)

    /// An empty lane.
    init(_ label: String, waitingAtMost: Int) {
        queue = DispatchQueue(label: label, qos: .utility)
        self.waitingAtMost = waitingAtMost
    }

    /// Runs `work` in its turn and tells it whether that came within `patience`. False when too many wait: it is not run.
    func enqueue(_ work: @escaping @Sendable (_ isInTime: Bool) -> Void) -> Bool {
        guard waiting.add(1, ordering: .relaxed).newValue <= waitingAtMost else {
            waiting.subtract(1, ordering: .relaxed)
            return false
        }
        let begun = MonotonicTime.now().nanoseconds
        queue.async { [self] in
            waiting.subtract(1, ordering: .relaxed)
            work(MonotonicTime.now().nanoseconds - begun < Self.patience)
        }
        return true
    }

    /// Runs `work` after a pause; whoever asks for that bounds how many do.
    func enqueue(after pause: DispatchTimeInterval, _ work: @escaping @Sendable () -> Void) {
        queue.asyncAfter(deadline: .now() + pause, execute: work)
    }
}

/// Lanes beside each other. What is about one session, account or agent goes through one of them, in order; who has to wait in the
/// store, for a row that another holds, keeps up his lane only.
final class WorkLanes: Sendable {
    /// Requests that wait in one lane at most.
    static let waitingAtMost = 512

    private let lanes: [WorkLane]

    /// So many empty lanes.
    init(_ count: Int) {
        lanes = (0..<count).map { WorkLane("gatehouse.identity.\($0)", waitingAtMost: Self.waitingAtMost) }
    }

    /// The lane of a subject. The hash is seeded anew in each process: nobody chooses whom he shares one with.
    subscript(subject: some Hashable) -> WorkLane {
        lanes[Int(UInt(bitPattern: subject.hashValue) % UInt(lanes.count))]
    }
}
