import Dispatch
import Identity
import Synchronization
import Testing

@Suite struct HashQueueTests {
    @Test("so many run at once, so many wait, one more is not taken")
    func bounds() {
        let queue = HashQueue(width: 2, waiting: 3)
        let gate = DispatchSemaphore(value: 0)
        let done = DispatchGroup()
        let counts = Mutex((running: 0, most: 0, finished: 0))
        let work: @Sendable () -> Void = {
            counts.withLock { counts in
                counts.running += 1
                counts.most = max(counts.most, counts.running)
            }
            gate.wait()
            counts.withLock { counts in
                counts.running -= 1
                counts.finished += 1
            }
            done.leave()
        }
        for _ in 0..<5 {
            done.enter()
            #expect(queue.submit(work))
        }
        #expect(!queue.submit {} && queue.load == 5)
        for _ in 0..<5 { gate.signal() }
        #expect(done.wait(timeout: .now() + .seconds(10)) == .success)
        #expect(counts.withLock { $0.finished } == 5 && counts.withLock { $0.most } <= 2)
    }

    @Test("it takes work again after it was full")
    func recovers() {
        let queue = HashQueue(width: 1, waiting: 0)
        let gate = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
        #expect(queue.submit { gate.wait() })
        #expect(!queue.submit {})
        gate.signal()
        while queue.load > 0 {}
        #expect(queue.submit { done.signal() })
        #expect(done.wait(timeout: .now() + .seconds(10)) == .success)
    }
}
