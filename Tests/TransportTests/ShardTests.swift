import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Transport

@Suite("Shard: events, timers and posts on one queue", .timeLimit(.minutes(2)))
struct ShardTests {
    private let loop: Loop
    private var shard: Shard { loop.shard }

    init() throws { loop = try Loop() }

    @Test("a channel is told what it waits for, as long as it is watched")
    func events() {
        let pair = Pair()
        let probe = Probe()
        probe.onReady = { [shard] in shard.setInterest([], of: $0) }
        loop.run { #expect(shard.add(probe, descriptor: pair.near, interest: .readable)) }
        usleep(20_000)
        loop.run { #expect(probe.events.isEmpty, "nothing is there") }
        pair.send("a")
        #expect(loop.comesTrue { probe.events == [.readable] })
        loop.run { shard.setInterest([.writable], of: probe) }
        #expect(loop.comesTrue { probe.events == [.readable, .writable] })
        loop.run { shard.setInterest([.peerClosed], of: probe) }
        shutdown(pair.far, Int32(SHUT_WR))
        #expect(loop.comesTrue { probe.events.count == 3 && probe.events[2].contains(.peerClosed) })
        loop.run {
            shard.remove(probe)
            shard.remove(probe)
            #expect(shard.watchedChannels.isEmpty)
            shard.setInterest(.readable, of: probe)
            #expect(!shard.add(probe, descriptor: -1, interest: .readable), "no descriptor")
        }
        usleep(20_000)
        loop.run { #expect(probe.events.count == 3) }
    }

    @Test("a channel that waits for what is fresh is told each arrival once, read or not")
    func freshness() {
        let pair = Pair()
        let probe = Probe()
        loop.run { #expect(shard.add(probe, descriptor: pair.near, interest: [.readable, .peerClosed, .fresh])) }
        for count in 1...3 {
            pair.send("a")
            #expect(loop.comesTrue { probe.events.count == count })
            usleep(20_000)
            loop.run { #expect(probe.events.count == count, "nothing is read, and nothing more came") }
        }
        probe.onReady = { [shard] in shard.setInterest([], of: $0) }
        loop.run { shard.setInterest(.readable, of: probe) }
        #expect(loop.comesTrue { probe.events.count == 4 })
        loop.run { shard.remove(probe) }
    }

    @Test("posts and timers get their turn although a channel is always ready")
    func busy() {
        let pair = Pair()
        pair.send("never read")
        let (probe, other) = (Probe(), Probe())
        let timer = ChannelTimer(channel: other)
        loop.run {
            shard.add(probe, descriptor: pair.near, interest: .readable)
            shard.set(timer, after: 50_000_000)
        }
        let arrived = DispatchSemaphore(value: 0)
        for _ in 0..<20 {
            shard.post { arrived.signal() }
            #expect(arrived.wait(timeout: .now() + .seconds(10)) == .success)
        }
        #expect(loop.comesTrue { other.timersFired.count == 1 })
        loop.run {
            #expect(probe.events.count > 100)
            shard.remove(probe)
        }
    }

    @Test("shards that are held serve nothing in between, and one that is busy is waited for a round, not a turn")
    func holding() throws {
        let other = try Loop()
        let pair = Pair()
        pair.send("never read")
        let probe = Probe()
        // The round at hand ends when somebody waits.
        let rounds = Atomic(0)
        probe.onReady = { [shard] _ in
            rounds.add(1, ordering: .relaxed)
            for _ in 0..<10_000 where !shard.isWanted.load(ordering: .relaxed) { usleep(1000) }
        }
        let served = Atomic(0)
        loop.run { _ = shard.add(probe, descriptor: pair.near, interest: .readable) }
        for turn in 1...5 {
            #expect(other.comesTrue { rounds.load(ordering: .relaxed) == turn })
            Shard.holding([shard, other.shard]) {
                #expect(rounds.load(ordering: .relaxed) == turn, "a turn has 128 rounds")
                other.shard.post { served.add(1, ordering: .relaxed) }
                usleep(20_000)
                #expect(rounds.load(ordering: .relaxed) == turn && served.load(ordering: .relaxed) == turn - 1)
            }
            #expect(other.comesTrue { served.load(ordering: .relaxed) == turn })
        }
        Shard.holding([shard]) { shard.remove(probe) }
        Shard.holding([]) { served.store(7, ordering: .relaxed) }
        #expect(served.load(ordering: .relaxed) == 7, "nobody to wait for")
    }

    @Test("answers come before requests, of which a round takes a part: what is under way ends before more begins")
    func precedence() {
        let (pairs, upstream) = ((0..<100).map { _ in Pair() }, Pair())
        let (probes, answers) = ((0..<100).map { _ in Probe() }, Probe())
        var order: [Character] = []
        loop.run {
            for (probe, pair) in zip(probes, pairs) {
                pair.send("a")
                probe.onReady = { [shard] in
                    order.append("r")
                    shard.setInterest([], of: $0)
                }
                shard.add(probe, descriptor: pair.near, interest: .readable)
            }
            upstream.send("never read")
            answers.onReady = { _ in order.append("a") }
            shard.add(answers, descriptor: upstream.near, interest: .readable, precedence: .answers)
        }
        #expect(loop.comesTrue { order.count { $0 == "r" } == 100 })
        loop.run {
            shard.remove(answers)
            for probe in probes { shard.remove(probe) }
            #expect(order.first == "a")
            let between = order.split(separator: "a").map(\.count)
            #expect((between.max() ?? 0) <= 32 && between.count > 2, "\(between)")
        }
    }

    @Test("an event for a channel that an earlier one of the batch removed is dropped")
    func removalInBatch() {
        let pairs = [Pair(), Pair()]
        let probes = [Probe(), Probe()]
        loop.run {
            for (index, probe) in probes.enumerated() {
                probe.onReady = { [shard] _ in
                    shard.remove(probes[0])
                    shard.remove(probes[1])
                }
                shard.add(probe, descriptor: pairs[index].near, interest: .readable)
            }
            for pair in pairs { pair.send("a") }
        }
        #expect(loop.comesTrue { !(probes[0].events + probes[1].events).isEmpty })
        usleep(20_000)
        loop.run { #expect(probes[0].events.count + probes[1].events.count == 1) }
    }

    @Test("an event for a removed channel does not reach the one that took its slot and its descriptor")
    func slotReuse() {
        let pairs = [Pair(), Pair()]
        let (fresh, heir) = (Pair(), Probe())
        let probes = [Probe(), Probe()]
        loop.run {
            for (index, probe) in probes.enumerated() {
                probe.onReady = { [shard] probe in
                    let victim = probes[1 - index]
                    guard victim.slot >= 0 else { return }
                    let slot = victim.slot
                    shard.remove(victim)
                    pairs[1 - index].closeNear()
                    shard.add(heir, descriptor: fresh.near, interest: .readable)
                    #expect(heir.slot == slot)
                    shard.remove(probe)
                }
                shard.add(probe, descriptor: pairs[index].near, interest: .readable)
            }
            for pair in pairs { pair.send("a") }
        }
        #expect(loop.comesTrue { !(probes[0].events + probes[1].events).isEmpty })
        usleep(20_000)
        loop.run { #expect(heir.events.isEmpty) }
        fresh.send("b")
        #expect(loop.comesTrue { !heir.events.isEmpty })
        loop.run { shard.remove(heir) }
    }

    @Test("timers come after their time, soon, and once", arguments: [0, 1_000_000, 30_000_000, 100_000_000])
    func timers(nanoseconds: Int64) {
        let probe = Probe()
        let timer = ChannelTimer(channel: probe)
        usleep(50_000)
        let set = MonotonicTime.now()
        let fired = Mutex<MonotonicTime?>(nil)
        probe.onTimer = { _ in fired.withLock { $0 = .now() } }
        let posted = DispatchSemaphore(value: 0)
        let job = Confined((timer, shard))
        shard.post {
            job.value.1.set(job.value.0, after: nanoseconds)
            posted.signal()
        }
        posted.wait()
        #expect(loop.comesTrue { !probe.timersFired.isEmpty })
        let elapsed = fired.withLock { $0 }?.nanoseconds(since: set) ?? 0
        #expect(elapsed >= nanoseconds, "never early, also on a shard that slept before")
        #expect(elapsed < nanoseconds + 2_000_000_000)
        usleep(60_000)
        loop.run { #expect(probe.timersFired.count == 1) }
    }

    @Test("the wheel stands still without timers and turns again with the next")
    func tickingStops() {
        let probe = Probe()
        for round in 1...3 {
            let timer = ChannelTimer(channel: probe)
            loop.run { shard.set(timer, after: 1) }
            #expect(loop.comesTrue { probe.timersFired.count == round })
            usleep(50_000)
        }
    }

    @Test("of two timers that are due together the first may remove the second, and the channel may go")
    func removalAmongDue() {
        let fired = Mutex(0)
        let release = Mutex<Confined<Probe>?>(nil)
        loop.run {
            let probe = Probe()
            let timers = [ChannelTimer(channel: probe), ChannelTimer(channel: probe)]
            probe.onTimer = { [shard, unowned one = timers[0], unowned other = timers[1]] _ in
                fired.withLock { $0 += 1 }
                shard.remove(one)
                shard.remove(other)
                // The last reference but that of the call.
                release.withLock { $0 = nil }
            }
            for timer in timers { shard.set(timer, after: 1) }
            release.withLock { $0 = Confined(probe) }
        }
        #expect(loop.comesTrue { fired.withLock { $0 } > 0 })
        usleep(60_000)
        #expect(fired.withLock { $0 } == 1)
    }

    @Test("a timer that is due but was moved by an earlier one waits for its new time")
    func moveAmongDue() {
        let probe = Probe()
        let timers = [ChannelTimer(channel: probe), ChannelTimer(channel: probe)]
        probe.onTimer = { [shard] probe in
            guard probe.timersFired.count == 1 else { return }
            for timer in timers { shard.set(timer, after: 1_000_000_000) }
        }
        loop.run { for timer in timers { shard.set(timer, after: 1) } }
        #expect(loop.comesTrue { !probe.timersFired.isEmpty })
        usleep(60_000)
        loop.run { #expect(probe.timersFired.count == 1) }
        #expect(loop.comesTrue { probe.timersFired.count == 3 })
    }

    @Test("what is put off runs after the events at hand, also what was put off meanwhile, and after a post")
    func later() {
        let pair = Pair()
        let probe = Probe()
        let order = Mutex<[String]>([])
        let note: @Sendable (String) -> Void = { text in order.withLock { $0.append(text) } }
        probe.onReady = { [shard] probe in
            shard.remove(probe)
            shard.later {
                note("later")
                shard.later { note("still later") }
            }
            note("event")
        }
        loop.run { _ = shard.add(probe, descriptor: pair.near, interest: .readable) }
        pair.send("a")
        #expect(loop.comesTrue { order.withLock { $0 } == ["event", "later", "still later"] })
        let done = DispatchSemaphore(value: 0)
        shard.post { [shard] in shard.later { done.signal() } }
        #expect(done.wait(timeout: .now() + .seconds(5)) == .success, "without any event")
    }
}

/// A value that only the shard's queue touches.
struct Confined<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
