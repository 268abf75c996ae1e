import Dispatch
import Glibc
import Synchronization

@testable import Transport

/// A running shard. It is kept for good, as in the program: Dispatch may look at its epoll descriptor for a while longer.
final class Loop: Sendable {
    private static let kept = Mutex<[Shard]>([])

    let shard: Shard

    init() throws {
        let shard = try Shard(index: 0)
        self.shard = shard
        Self.kept.withLock { $0.append(shard) }
        shard.start()
    }

    deinit { shard.queue.sync { shard.stop() } }

    /// Runs `body` on the shard's queue, by now: no time passes for the shard in between.
    func run<R>(_ body: () throws -> R) rethrows -> R { try shard.queue.sync(execute: body) }

    /// Whether `condition`, asked on the shard's queue, comes true within ten seconds.
    func comesTrue(_ condition: () -> Bool) -> Bool {
        for _ in 0..<5000 {
            if run(condition) { return true }
            usleep(2000)
        }
        return false
    }
}

/// Tells what happened to it.
final class Probe: Channel {
    var events: [Readiness] = []
    var timersFired: [ShardTimer] = []
    var onReady: (Probe) -> Void = { _ in }
    var onTimer: (Probe) -> Void = { _ in }

    override func ready(_ readiness: Readiness) {
        events.append(readiness)
        onReady(self)
    }

    override func timerFired(_ timer: ShardTimer) {
        timersFired.append(timer)
        onTimer(self)
    }
}

/// Two connected non-blocking sockets, closed at the end.
final class Pair {
    private(set) var near: Int32 = -1
    private(set) var far: Int32 = -1

    /// As the program does: OpenSSL writes with `write`, not with `MSG_NOSIGNAL`.
    private static let ignoresBrokenPipes: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return true
    }()

    init() {
        _ = Self.ignoresBrokenPipes
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        unsafe socketpair(AF_UNIX, type, 0, &ends)
        (near, far) = (ends[0], ends[1])
    }

    deinit {
        closeNear()
        closeFar()
    }

    func send(_ text: String) {
        var text = text
        _ = text.withUTF8 { unsafe write(far, $0.baseAddress, $0.count) }
    }

    /// The descriptor, which the caller closes from now on.
    func giveNear() -> Int32 {
        defer { near = -1 }
        return near
    }

    func giveFar() -> Int32 {
        defer { far = -1 }
        return far
    }

    func closeNear() {
        if near >= 0 { close(near) }
        near = -1
    }

    func closeFar() {
        if far >= 0 { close(far) }
        far = -1
    }
}
