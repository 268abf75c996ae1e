import Foundation
import Identity
import JOSE
import Policy
import Testing

@testable import Stores

@Suite("Stores: what was written is there, for every connection")
struct StoreTests {
    @Test("a key comes back as it was created, also after the store was opened again", arguments: StoreKind.all)
    func roundTrip(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let key = Fixtures.key("k1", expiresAt: 5_000)
        try bed.open().create(key)
        let stored = try #require(try bed.open().key(id: "k1"))
        #expect(stored.record.id == key.id)
        #expect(stored.record.agentID == key.agentID)
        #expect(stored.record.ownerID == key.ownerID)
        #expect(stored.record.name == key.name)
        #expect(stored.record.prefix == key.prefix)
        #expect(stored.record.createdAt == key.createdAt)
        #expect(stored.record.expiresAt == 5_000)
        #expect(stored.record.revokedAt == nil)
        #expect(stored.record.graceUntil == nil)
        #expect(stored.record.digest == key.digest)
        #expect(stored.lastUsedAt == nil)
    }

    @Test("keys are listed by agent, oldest first", arguments: StoreKind.all)
    func listing(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("b", createdAt: 2_000))
        try store.create(Fixtures.key("c", agent: "agent-2", createdAt: 500))
        try store.create(Fixtures.key("a", createdAt: 1_000))
        #expect(try store.storedKeys(ofAgent: "agent-1").map(\.record.id) == ["a", "b"])
        #expect(try store.storedKeys(ofAgent: nil).map(\.record.id) == ["c", "a", "b"])
        #expect(try store.storedKeys(ofAgent: "AGENT-1").isEmpty)
        #expect(try store.keys().count == 3)
        #expect(try store.key(id: "none") == nil)
    }

    @Test("a value is never read as SQL", arguments: StoreKind.all)
    func injection(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("a"))
        #expect(try store.storedKeys(ofAgent: "' OR 1=1 --").isEmpty)
        #expect(try store.revoke(id: "' OR 1=1 --", at: 1) == false)
    }

    @Test("two keys with one id or one digest are refused and change nothing", arguments: StoreKind.all)
    func uniqueness(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("a"))
        let counter = try store.changeCounter()
        #expect(throws: StoreError.self) { try store.create(Fixtures.key("a")) }
        #expect(try store.keys().count == 1)
        #expect(try store.changeCounter() == counter)
    }

    @Test(
        "rotation ends the old key and adds the new one in one transaction", arguments: StoreKind.all,
        [Int64?.none, 4_600])
    func rotation(_ kind: StoreKind, graceUntil: Int64?) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("old"))
        #expect(try store.rotate(id: "old", to: Fixtures.key("new"), graceUntil: graceUntil, now: 1_000))
        let old = try #require(try store.key(id: "old")).record
        #expect(old.graceUntil == graceUntil)
        #expect(old.revokedAt == (graceUntil == nil ? 1_000 : nil))
        #expect(try store.key(id: "new") != nil)
        #expect(try store.rotate(id: "old", to: Fixtures.key("third"), graceUntil: 9_000, now: 1_001) == false)
        #expect(try store.key(id: "third") == nil)
        #expect(try store.rotate(id: "absent", to: Fixtures.key("third"), graceUntil: 9_000, now: 1_001) == false)
    }

    @Test("a rotation whose successor cannot be added leaves the old key as it was", arguments: StoreKind.all)
    func failedRotation(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("old"))
        try store.create(Fixtures.key("other"))
        #expect(throws: StoreError.self) {
            try store.rotate(id: "old", to: Fixtures.key("other"), graceUntil: nil, now: 1_000)
        }
        #expect(try store.key(id: "old")?.record.revokedAt == nil)
    }

    @Test("revocation keeps its first time; a key past its grace has been revoked since then", arguments: StoreKind.all)
    func revocation(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("a"))
        try store.create(Fixtures.key("rotated"))
        #expect(try store.rotate(id: "rotated", to: Fixtures.key("new"), graceUntil: 1_500, now: 1_000))
        #expect(try store.revoke(id: "a", at: 2_000))
        #expect(try store.revoke(id: "a", at: 3_000))
        #expect(try store.revoke(id: "rotated", at: 2_000))
        #expect(try store.key(id: "a")?.record.revokedAt == 2_000)
        #expect(try store.key(id: "rotated")?.record.revokedAt == 1_500)
        #expect(try store.revoke(id: "absent", at: 3_000) == false)
    }

    @Test(
        "the change counter moves with what decides requests, for other connections too, and not with uses or reads",
        arguments: StoreKind.all)
    func counter(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        let other = try bed.open()
        var seen = try other.changeCounter()
        func moved() throws -> Bool {
            let now = try other.changeCounter()
            defer { seen = now }
            return now > seen
        }
        #expect(try moved() == false)
        try store.create(Fixtures.key("a"))
        #expect(try moved())
        _ = try store.rotate(id: "a", to: Fixtures.key("b"), graceUntil: 9_000, now: 1_000)
        #expect(try moved())
        _ = try store.revoke(id: "b", at: 2_000)
        #expect(try moved())
        try store.record(uses: [KeyUse(keyID: "a", usedAt: 1_500)])
        _ = try store.keys()
        try store.usable()
        #expect(try moved() == false)
    }

    @Test(
        "who knows a reading is told what changed behind it, and everything once a key is gone or another",
        arguments: StoreKind.all)
    func changes(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let (store, other) = (try bed.open(), try bed.open())
        for id in ["a", "b", "c"] { try store.create(Fixtures.key(id)) }
        var known = try other.keys(after: -1)
        #expect(known.isWhole && known.records.count == 3)
        #expect(try known.counter == store.changeCounter())
        func next(_ isWhole: Bool, _ ids: [String], _ why: Comment) throws {
            known = try other.keys(after: known.counter)
            #expect(known.isWhole == isWhole && known.records.map(\.id).sorted() == ids, why)
            #expect(try known.counter == store.changeCounter(), why)
        }
        try next(false, [], "nothing happened")
        try store.record(uses: [KeyUse(keyID: "a", usedAt: 1)])
        try next(false, [], "a use is no change")
        _ = try store.revoke(id: "b", at: 5)
        try next(false, ["b"], "one was revoked")
        #expect(known.records.first?.revokedAt == 5)
        _ = try store.rotate(id: "c", to: Fixtures.key("d"), graceUntil: 9, now: 1)
        try next(false, ["c", "d"], "one took another's place")
        try bed.execute("UPDATE api_keys SET quota = '5/d' WHERE id = 'a'")
        try next(false, ["a"], "by hand")
        try bed.execute("DELETE FROM api_keys WHERE id = 'b'")
        try next(true, ["a", "c", "d"], "one is gone")
        try bed.execute("UPDATE api_keys SET digest = (SELECT digest FROM api_keys WHERE id = 'a') WHERE 1 = 0")
        try bed.execute("UPDATE api_keys SET id = 'e' WHERE id = 'd'")
        try next(true, ["a", "c", "e"], "one is another")
        try next(false, [], "and then it is known")
        if kind == .sqlite {
            // Delete triggers do not see it (SQLite, "ON CONFLICT").
            try bed.execute(
                """
                INSERT OR REPLACE INTO api_keys (id, agent_id, owner_id, name, prefix, digest, created_at)
                VALUES ('a', 'x', 'x', 'x', 'x', randomblob(32), 1)
                """)
            try next(true, ["a", "c", "e"], "one was overwritten")
        }
        #expect(try store.keys(after: known.counter + 9).isWhole, "a store that was set back")
    }

    @Test("last uses never move backwards, and uses of unknown keys are passed over", arguments: StoreKind.all)
    func uses(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.create(Fixtures.key("a"))
        try store.record(uses: [KeyUse(keyID: "a", usedAt: 2_000), KeyUse(keyID: "gone", usedAt: 2_000)])
        try store.record(uses: [KeyUse(keyID: "a", usedAt: 1_000)])
        #expect(try store.key(id: "a")?.lastUsedAt == 2_000)
    }

    @Test("writers in parallel all get their turn", arguments: StoreKind.all)
    func contention(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let stores = [try bed.open(), try bed.open()]
        DispatchQueue.concurrentPerform(iterations: 2) { writer in
            for number in 0..<20 {
                #expect(throws: Never.self) { try stores[writer].create(Fixtures.key("\(writer)-\(number)")) }
            }
        }
        #expect(try stores[0].keys().count == 40)
    }

    @Test("stores that are opened at the same time migrate once", arguments: StoreKind.all)
    func parallelOpening(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            #expect(throws: Never.self) { try bed.open().usable() }
        }
    }
}
