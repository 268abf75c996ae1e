import Configuration
import Dispatch
import Identity
import Policy
import Testing

@testable import Stores

@Suite("Stores: counts of requests, and what keys may do")
struct UsageTests {
    private static let now: Int64 = 1_800_000_000

    private func usage(
        _ subject: String, _ count: Int64, scope: String = "key", start: Int64 = now - 100, end: Int64 = now + 100
    ) -> Usage {
        Usage(key: UsageKey(scope: scope, subject: subject, start: start, end: end), count: count)
    }

    /// What is kept, sorted.
    private func all(_ store: any IdentityStore, now: Int64 = now) throws -> [Usage] {
        try store.usages(now: now).sorted {
            ($0.key.scope, $0.key.subject, $0.key.start) < ($1.key.scope, $1.key.subject, $1.key.start)
        }
    }

    // MARK: Counts

    @Test("counts come back, also after the store was opened again, and add up", arguments: StoreKind.all)
    func adding(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        #expect(try all(store).isEmpty)
        try store.add([usage("key:a", 3), usage("key:b", 1)])
        try store.add([usage("key:a", 4)])
        let other = try bed.open()
        #expect(try all(other) == [usage("key:a", 7), usage("key:b", 1)])
        try other.add([usage("key:a", 5_000_000_000)])
        #expect(try all(store) == [usage("key:a", 5_000_000_007), usage("key:b", 1)])
        try store.add([])
        try store.add([usage("key:c", 1), usage("key:c", 2)])
        #expect(try store.usages(scope: "key", subjects: ["key:c"], now: Self.now) == [usage("key:c", 3)])
    }

    @Test("scope, subject and period are told apart, byte for byte", arguments: StoreKind.all)
    func distinct(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        let rows = [
            usage("key:A", 1), usage("key:a", 2), usage("key:a", 3, start: Self.now, end: Self.now + 100),
            usage("key:a", 4, end: Self.now + 200), usage("key:a ", 5), usage("", 6), usage("' OR 1=1 --", 7),
            usage("key:é", 8), usage("key:e\u{301}", 9), usage("key:a", 10, scope: "route:/a/"),
        ]
        try store.add(rows)
        #expect(try Set(all(store).map(\.count)) == Set(1...10))
        #expect(try store.usages(scope: "' OR 1=1 --", subjects: ["key:a"], now: Self.now).isEmpty)
    }

    @Test(
        "subjects of a scope are found by their names, those that are asked for and no others", arguments: StoreKind.all
    )
    func bySubject(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.add([
            usage("key:a", 1), usage("key:a", 5, start: Self.now - 500, end: Self.now + 500), usage("key:b", 2),
            usage("key:c", 3), usage("key:a", 9, scope: "route:/a/"),
        ])
        let found = try store.usages(scope: "key", subjects: ["key:a", "key:b", "key:x"], now: Self.now)
        #expect(found.map(\.count).sorted() == [1, 2, 5], "a key has a day and a month")
        #expect(try store.usages(scope: "key", subjects: [], now: Self.now).isEmpty)
        #expect(try store.usages(scope: "key", subjects: ["key:"], now: Self.now).isEmpty)
    }

    @Test("a period that is over is not told of, and is forgotten with the rest", arguments: StoreKind.all)
    func over(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        let early = usage("key:a", 1, start: Self.now - 100, end: Self.now)
        let late = usage("key:a", 2, start: Self.now, end: Self.now + 100)
        try store.add([early, late])
        #expect(try all(store, now: Self.now - 1) == [early, late])
        #expect(try all(store) == [late], "the end is not part of it")
        #expect(try store.usages(scope: "key", subjects: ["key:a"], now: Self.now) == [late])
        try store.purge(now: Self.now - 1)
        #expect(try all(store, now: 0) == [early, late])
        try store.purge(now: Self.now)
        #expect(try all(store, now: 0) == [late])
        try store.purge(now: Self.now + 100)
        #expect(try all(store, now: 0).isEmpty)
        try store.add([late])
        #expect(try all(store) == [late], "what was forgotten begins anew")
    }

    @Test("counts change nothing that requests are judged by", arguments: StoreKind.all)
    func counter(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        let before = try store.changeCounter()
        try store.add([usage("key:a", 3)])
        try store.add([usage("key:a", 3)])
        try store.purge(now: Self.now + 100)
        #expect(try store.changeCounter() == before, "keys would be read again each time")
    }

    @Test("two processes that add at once lose nothing", arguments: StoreKind.all)
    func parallel(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        let stores = [store, try bed.open()]
        let counts = [usage("key:a", 1), usage("key:b", 2)]
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            for _ in 0..<50 { #expect(throws: Never.self) { try stores[index].add(counts) } }
        }
        #expect(try all(store) == [usage("key:a", 100), usage("key:b", 200)])
    }

    @Test("a transaction that fails has added none of its counts", arguments: StoreKind.all)
    func atomic(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.add([usage("key:a", 1)])
        #expect(throws: StoreError.self) {
            // Integers end there; in SQLite a sum beyond is a fraction, which a STRICT table refuses.
            try store.add([usage("key:a", 1), usage("key:b", 1), usage("key:a", .max)])
        }
        #expect(try all(store) == [usage("key:a", 1)])
        try store.add([usage("key:a", 1)])
        #expect(try all(store) == [usage("key:a", 2)])
    }

    // MARK: Limits of keys

    static let limits: [(KeyLimits, String)] = [
        (KeyLimits(), "none"), (KeyLimits(rate: RateLimit(count: 10, unit: 1)), "a rate"),
        (KeyLimits(rate: RateLimit(count: 7, unit: 3_600, burst: 1_000_000)), "a rate with a burst"),
        (KeyLimits(quota: Quota(count: 1_000_000_000_000, period: .month)), "a quota"),
        (KeyLimits(rate: RateLimit(count: 600, unit: 60), quota: Quota(count: 1, period: .day)), "both"),
    ]

    @Test("what a key may do comes back as it was", arguments: StoreKind.all, limits)
    func keyLimits(_ kind: StoreKind, limits: (KeyLimits, String)) throws {
        let (limits, why) = limits
        let bed = try StoreBed(kind)
        let store = try bed.open()
        var key = Fixtures.key("k1")
        key.limits = limits
        try store.create(key)
        let other = try bed.open()
        #expect(try other.keys() == [key], "\(why)")
        #expect(try other.key(id: "k1")?.record.limits == limits, "\(why)")
        #expect(try other.storedKeys(ofAgent: "agent-1").map(\.record.limits) == [limits], "\(why)")
    }

    @Test(
        "a key that takes another's place has what it was made with, and each keeps its own", arguments: StoreKind.all)
    func rotation(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        var old = Fixtures.key("old")
        old.limits = KeyLimits(rate: RateLimit(count: 10, unit: 1))
        var new = Fixtures.key("new")
        new.limits = KeyLimits(quota: Quota(count: 5, period: .day))
        try store.create(old)
        #expect(try store.rotate(id: "old", to: new, graceUntil: 9_000, now: 1_000))
        #expect(try store.key(id: "old")?.record.limits == old.limits)
        #expect(try store.key(id: "new")?.record.limits == new.limits)
        #expect(try store.revoke(id: "old", at: 2_000))
        #expect(try store.key(id: "old")?.record.limits == old.limits)
    }

    @Test(
        "a limit that cannot be read is an error, never a key without limits",
        arguments: StoreKind.all, ["", "10", "10/d", "0/s", "10/s burst=0", "ten/s"])
    func damaged(_ kind: StoreKind, text: String) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("k1"))
        for column in ["rate_limit", "quota"] {
            try bed.execute("UPDATE api_keys SET \(column) = '\(column == "quota" ? "10/s" : text)'")
            #expect(throws: StoreError.self) { try store.keys() }
            #expect(throws: StoreError.self) { try store.key(id: "k1") }
            try bed.execute("UPDATE api_keys SET rate_limit = NULL, quota = NULL")
        }
        #expect(try store.keys().map(\.limits) == [KeyLimits()])
    }
}
