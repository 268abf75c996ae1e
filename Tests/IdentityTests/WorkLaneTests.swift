import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Identity

@Suite("Work lanes: in order within one, beside each other otherwise", .timeLimit(.minutes(1)))
struct WorkLaneTests {
    @Test("so many wait, one more is told at once; when they have had their turn there is room again")
    func bound() {
        let lane = WorkLane("test", waitingAtMost: 3)
        let (begun, go, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let order = Mutex<[Int]>([])
        let isFirstTaken = lane.enqueue { isInTime in
            #expect(isInTime)
            begun.signal()
            go.wait()
        }
        #expect(isFirstTaken)
        begun.wait()
        for number in 0..<5 {
            let isTaken = lane.enqueue { _ in
                order.withLock { $0.append(number) }
                done.signal()
            }
            #expect(isTaken == (number < 3))
        }
        go.signal()
        for _ in 0..<3 { done.wait() }
        #expect(order.withLock(\.self) == [0, 1, 2])
        #expect(lane.enqueue { _ in done.signal() })
        done.wait()
    }

    @Test("what comes to its turn after more than its patience is told so")
    func lateness() {
        let lane = WorkLane("test", waitingAtMost: 3)
        let late = Atomic(0)
        let done = DispatchSemaphore(value: 0)
        _ = lane.enqueue { _ in usleep(UInt32(WorkLane.patience / 1_000) + 1_000) }
        _ = lane.enqueue { isInTime in
            late.store(isInTime ? 1 : 2, ordering: .relaxed)
            done.signal()
        }
        done.wait()
        #expect(late.load(ordering: .relaxed) == 2)
    }

    @Test("a subject has one lane, many subjects have all of them, and one lane keeps up no other")
    func lanes() {
        let lanes = WorkLanes(6)
        let subjects = (0..<500).map { "subject \($0)" }
        #expect(Set(subjects.map { ObjectIdentifier(lanes[$0]) }).count == 6)
        #expect(lanes["one"] === lanes["one"] && WorkLanes(1)["one"] !== lanes["one"])
        let (go, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let held = lanes["held"]
        _ = held.enqueue { _ in go.wait() }
        for subject in subjects.prefix(50) where lanes[subject] !== held {
            _ = lanes[subject].enqueue { _ in done.signal() }
            done.wait()
        }
        go.signal()
    }
}
