import Foundation

/// Threads that really run at once. `concurrentPerform` gives no such promise: in a test it may call one after the other.
enum Threads {
    /// Calls `body` on `count` threads, with the number of each, and waits for all of them.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            Thread {
                body(index)
                group.leave()
            }.start()
        }
        group.wait()
    }
}
