import Identity
import JOSE
import Policy
import Testing

@Suite("KeyService: keys are made once, replaced with grace, and end when they are told to")
struct KeyServiceTests {
    private let store = MemoryStore()
    private var service: KeyService { KeyService(store: store, prefix: "rk_") }
    private let now: Int64 = 1_700_000_000

    private func create(expiresAt: Int64? = nil) throws -> KeyObject {
        try service.create(agentID: "agent-1", ownerID: "user-1", name: "widget", expiresAt: expiresAt, now: now)
    }

    private func text(_ object: KeyObject) -> String { String(decoding: JSONWriter.encode(object.json), as: UTF8.self) }

    private func failure<T>(_ body: () throws -> T) -> KeyServiceError? {
        do {
            _ = try body()
            return nil
        } catch { return error as? KeyServiceError }
    }

    @Test("a key is its prefix and 43 base64url characters, its id a UUID in lower case, and only its SHA-256 is kept")
    func creation() throws {
        let object = try create()
        let secret = try #require(object.key)
        #expect(secret.hasPrefix("rk_"))
        #expect(secret.utf8.count == 46)
        #expect(secret.dropFirst(3).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        #expect(object.prefix == String(secret.prefix(8)))
        #expect(object.id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        let record = try #require(try store.key(id: object.id)).record
        #expect(record.digest == APIKey.digest(of: secret))
        #expect(try create().key != secret)
    }

    @Test("the JSON is the contract's members in order, and the key is there once")
    func document() throws {
        let object = try create(expiresAt: now + 3_600)
        let made = text(object)
        let names = [
            "\"id\":", "\"name\":", "\"prefix\":", "\"createdAt\":", "\"expiresAt\":", "\"lastUsedAt\":",
            "\"revokedAt\":",
        ]
        let places = names.compactMap { made.firstRange(of: $0)?.lowerBound }
        #expect(places.count == names.count && places == places.sorted())
        #expect(made.contains("\"createdAt\":\"2023-11-14T22:13:20Z\""))
        #expect(made.contains("\"expiresAt\":\"2023-11-14T23:13:20Z\""))
        #expect(made.contains("\"lastUsedAt\":null,\"revokedAt\":null,\"key\":\"rk_"))
        let listed = try #require(try service.list(agentID: "agent-1", now: now).first)
        #expect(listed.key == nil)
        #expect(!text(listed).contains("\"key\""))
    }

    @Test(
        "fields that could not work are refused by name",
        arguments: [
            ("", "user", "n", Int64?.none, "agentId"), ("a/b", "user", "n", nil, "agentId"),
            ("..", "user", "n", nil, "agentId"),
            ("a b", "user", "n", nil, "agentId"), ("agënt", "user", "n", nil, "agentId"),
            ("a%41", "user", "n", nil, "agentId"),
            ("agent", "", "n", nil, "ownerId"), ("agent", "us\r\ner", "n", nil, "ownerId"),
            ("agent", String(repeating: "u", count: 257), "n", nil, "ownerId"), ("agent", "user", "", nil, "name"),
            ("agent", "user", "a\nb", nil, "name"), ("agent", "user", String(repeating: "n", count: 101), nil, "name"),
            ("agent", "user", "n", 1_700_000_000, "expiresAt"), ("agent", "user", "n", 0, "expiresAt"),
        ])
    func invalid(agent: String, owner: String, name: String, expiresAt: Int64?, field: String) {
        let error = failure {
            try service.create(agentID: agent, ownerID: owner, name: name, expiresAt: expiresAt, now: now)
        }
        guard case .invalid(field, _) = error else {
            Issue.record("\(String(describing: error)) instead of \(field)")
            return
        }
    }

    @Test("rotation keeps agent, owner, name and expiry; the old key works until its grace ends")
    func rotation() throws {
        let old = try create(expiresAt: now + 100_000)
        let new = try service.rotate(id: old.id, grace: 3_600, now: now + 10)
        #expect(new.key != nil && new.key != old.key && new.id != old.id)
        #expect([new.agentID, new.ownerID, new.name] == [old.agentID, old.ownerID, old.name])
        #expect(new.expiresAt == now + 100_000)
        let record = try #require(try store.key(id: old.id)).record
        #expect(record.graceUntil == now + 3_610 && record.revokedAt == nil)
        let during = try #require(try service.list(agentID: nil, now: now + 20).first { $0.id == old.id })
        #expect(during.expiresAt == now + 3_610 && during.revokedAt == nil)
        let after = try #require(try service.list(agentID: nil, now: now + 3_610).first { $0.id == old.id })
        #expect(after.revokedAt == now + 3_610)
    }

    @Test("without grace the old key is dead at once")
    func rotationWithoutGrace() throws {
        let old = try create()
        _ = try service.rotate(id: old.id, grace: 0, now: now + 10)
        #expect(try store.key(id: old.id)?.record.revokedAt == now + 10)
    }

    @Test("what is dead, rotated, expired, absent or another agent's is not rotated, and says which")
    func refusedRotation() throws {
        let rotated = try create().id
        _ = try service.rotate(id: rotated, grace: 60, now: now)
        #expect(
            failure { try service.rotate(id: rotated, grace: 60, now: now + 1) }
                == .rotated(id: rotated, until: now + 60))
        #expect(
            failure { try service.rotate(id: rotated, grace: 60, now: now + 60) } == .revoked(id: rotated, at: now + 60)
        )
        let revoked = try create().id
        try service.revoke(id: revoked, now: now + 5)
        #expect(
            failure { try service.rotate(id: revoked, grace: 60, now: now + 6) } == .revoked(id: revoked, at: now + 5))
        let expired = try create(expiresAt: now + 1).id
        #expect(
            failure { try service.rotate(id: expired, grace: 60, now: now + 1) } == .expired(id: expired, at: now + 1))
        #expect(failure { try service.rotate(id: "none", grace: 60, now: now) } == .unknownKey(id: "none"))
        let other = try create().id
        #expect(
            failure { try service.rotate(id: other, agentID: "agent-2", grace: 0, now: now) } == .unknownKey(id: other))
        for grace in [Int64(-1), KeyService.longestGrace + 1] {
            guard case .invalid("graceSeconds", _) = failure({ try service.rotate(id: other, grace: grace, now: now) })
            else {
                Issue.record("a grace of \(grace) passed")
                continue
            }
        }
    }

    @Test("revocation is for the key's own agent, is idempotent and keeps its time; a key in grace dies at once")
    func revocation() throws {
        let id = try create().id
        #expect(failure { try service.revoke(id: id, agentID: "agent-2", now: now) } == .unknownKey(id: id))
        #expect(failure { try service.revoke(id: "none", now: now) } == .unknownKey(id: "none"))
        _ = try service.rotate(id: id, grace: 3_600, now: now)
        try service.revoke(id: id, agentID: "agent-1", now: now + 5)
        try service.revoke(id: id, now: now + 9)
        #expect(try store.key(id: id)?.record.revokedAt == now + 5)
    }

    @Test("a store that fails is reported as itself")
    func failingStore() throws {
        let error = StoreError(.full, "the disk is full")
        let id = try create().id
        store.failure = error
        #expect(failure { try create() } == .store(error))
        #expect(failure { try service.list(agentID: nil, now: now) } == .store(error))
        #expect(failure { try service.rotate(id: id, grace: 0, now: now) } == .store(error))
        #expect(failure { try service.revoke(id: id, now: now) } == .store(error))
    }
}
