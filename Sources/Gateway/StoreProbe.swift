import Dispatch
import Identity

/// Whether the store can be used, asked by one at a time: however often readiness is asked for, one question waits for a store that says
/// nothing, and who asked meanwhile gets its answer.
final class StoreProbe: Sendable {
    /// Confined to the queue.
    private final class Last: @unchecked Sendable {
        var isUsable = true
        var ended: ContinuousClock.Instant?
    }

    private let store: any Store
    private let report: @Sendable (StoreError) -> Void
    private let queue = DispatchQueue(label: "gatehouse.store-probe")
    private let last = Last()

    /// `report` is told why, the first time since the store could be used.
    init(_ store: any Store, report: @escaping @Sendable (StoreError) -> Void) {
        self.store = store
        self.report = report
    }

    /// Calls back on the probe's queue.
    func ask(_ answer: @escaping @Sendable (Bool) -> Void) {
        let asked = ContinuousClock.now
        queue.async { [store, last, report] in
            if let ended = last.ended, ended >= asked { return answer(last.isUsable) }
            do throws(StoreError) {
                try store.usable()
                last.isUsable = true
            } catch {
                if last.isUsable { report(error) }
                last.isUsable = false
            }
            last.ended = .now
            answer(last.isUsable)
        }
    }
}
