import Configuration
import JOSE
import Testing

@testable import Policy

struct KeyTableTests {
    @Test func recordsComeBackWhole() {
        let record = KeyRecord(
            id: "k1", agentID: "agent-1", ownerID: "user-1", name: "Größe", prefix: "rk_12345",
            createdAt: 10, expiresAt: 20, revokedAt: nil, graceUntil: 30, digest: Samples.digest(of: "rk_1"))
        let other = Samples.key("rk_2", id: "k2")
        let table = KeyTable([record, other])
        #expect(table.count == 2)
        #expect(table.find(record.digest) == record)
        #expect(table.find(other.digest) == other)
        #expect(table.find(Samples.digest(of: "rk_3")) == nil)
        #expect(KeyTable.empty.find(record.digest) == nil)
    }

    @Test(arguments: [
        ("", "nothing"), ("a b", "a blank"), ("a\r\nX-Admin: 1", "a line break"), ("\u{e9}", "beyond ASCII"),
        (String(repeating: "a", count: 257), "too long"),
    ])
    func idsThatCouldNotBeHeaderValuesAreLeftOut(id: String, why: String) {
        for record in [
            Samples.key("rk_1", id: id), Samples.key("rk_1", agent: id),
            KeyRecord(id: "k", agentID: "a", ownerID: id, digest: Samples.digest(of: "rk_1")),
        ] {
            let table = KeyTable([record, Samples.key("rk_2")])
            #expect(table.count == 1 && table.unusableCount == 1, "\(why)")
            #expect(table.find(record.digest) == nil, "\(why)")
        }
    }

    @Test(
        arguments: [
            (nil, nil, nil, KeyStanding.active, "nothing ends it"),
            (101, nil, nil, .active, "before its expiry"),
            (100, nil, nil, .expired(at: 100), "at its expiry"),
            (nil, 50, nil, .revoked(at: 50), "revoked"),
            (nil, 150, nil, .revoked(at: 150), "revoked, whatever the time"),
            (nil, nil, 101, .active, "in its grace"),
            (nil, nil, 100, .revoked(at: 100), "at the end of its grace"),
            (90, 50, nil, .revoked(at: 50), "a revocation before an expiry"),
            (90, nil, 80, .revoked(at: 80), "rotated out before it expired"),
            (90, nil, 200, .expired(at: 90), "a grace does not prolong it"),
        ] as [(Int64?, Int64?, Int64?, KeyStanding, String)])
    func standing(expiresAt: Int64?, revokedAt: Int64?, graceUntil: Int64?, expected: KeyStanding, why: String) {
        let record = Samples.key("rk_1", expiresAt: expiresAt, revokedAt: revokedAt, graceUntil: graceUntil)
        #expect(record.standing(at: 100) == expected, "\(why)")
        let table = KeyTable([record])
        #expect(table.place(of: record.digest).map { table.standing(at: $0, now: 100) } == expected, "\(why)")
    }

    @Test func whatChangedIsFoundBeforeWhatWas() throws {
        var limited = Samples.key("rk_2", id: "k2")
        limited.limits = KeyLimits(quota: Quota(count: 5, period: .day))
        let first = KeyTable([Samples.key("rk_1", id: "k1"), limited, Samples.key("rk_3", id: "k3")])
        let second = try #require(
            first.updated(with: [Samples.key("rk_1", id: "k1", revokedAt: 7), Samples.key("rk_4", id: "k4")]))
        #expect(second.count == 4 && first.count == 3)
        #expect(second.find(Samples.digest(of: "rk_1"))?.revokedAt == 7)
        #expect(first.find(Samples.digest(of: "rk_1"))?.revokedAt == nil, "a table never changes")
        #expect(second.find(limited.digest) == limited && second.find(Samples.digest(of: "rk_4"))?.id == "k4")
        let third = try #require(
            second.updated(with: [
                Samples.key("rk_4", id: "k4", expiresAt: 50), Samples.key("rk_4", id: "k4", revokedAt: 60), limited,
            ]))
        #expect(third.count == 4)
        #expect(third.find(Samples.digest(of: "rk_1"))?.revokedAt == 7, "an earlier change stays")
        #expect(third.find(Samples.digest(of: "rk_4"))?.revokedAt == 60, "of two changes the last counts")
        for (secret, standing) in [("rk_1", KeyStanding.revoked(at: 7)), ("rk_3", .active), ("rk_4", .revoked(at: 60))]
        {
            #expect(third.place(of: Samples.digest(of: secret)).map { third.standing(at: $0, now: 100) } == standing)
        }
        #expect(try #require(third.updated(with: [])).count == 4)
        #expect(
            third.updated(with: [Samples.key("rk_1", id: "a\r\nb")]) == nil, "it has to go, and only all records tell")
    }

    @Test func aStoreThatWasSetBackBringsNoKeyBack() throws {
        let known = try #require(
            KeyTable([
                Samples.key("rk_1", id: "k1", revokedAt: 7), Samples.key("rk_2", id: "k2"),
                Samples.key("rk_3", id: "k3"),
            ])
            .updated(with: [Samples.key("rk_3", id: "k3", graceUntil: 9)]))
        let old = [
            Samples.key("rk_1", id: "k1"), Samples.key("rk_2", id: "k2", revokedAt: 4), Samples.key("rk_3", id: "k3"),
        ]
        let table = KeyTable(old, remembering: known)
        #expect(table.count == 3)
        #expect(table.find(Samples.digest(of: "rk_1"))?.revokedAt == 7, "it was revoked, as is known here")
        #expect(table.find(Samples.digest(of: "rk_2"))?.revokedAt == 4, "and this as the store knows")
        #expect(table.find(Samples.digest(of: "rk_3"))?.graceUntil == 9)
        #expect(KeyTable(old, remembering: .empty).find(Samples.digest(of: "rk_1")) == old[0])
    }

    @Test func manyChangesAreTakenIn() throws {
        func key(_ number: Int, revokedAt: Int64? = nil) -> KeyRecord {
            Samples.key("rk_\(number)", agent: "a\(number)", id: "k\(number)", revokedAt: revokedAt)
        }
        var table = KeyTable((0..<1_000).map { key($0) })
        for start in stride(from: 0, to: 2 * KeyTable.changesAtMost, by: 500) {
            table = try #require(table.updated(with: (start..<start + 500).map { key($0, revokedAt: 9) }))
        }
        #expect(table.count == 8_500)
        for number in 0..<8_500 {
            #expect(table.find(Samples.digest(of: "rk_\(number)")) == key(number, revokedAt: 9))
        }
    }

    @Test func manyKeysAreAllFound() {
        let records = (0..<20_000).map { Samples.key("rk_\($0)", agent: "a\($0)", id: "k\($0)") }
        let table = KeyTable(records)
        #expect(table.count == 20_000)
        for index in stride(from: 0, to: 20_000, by: 97) {
            #expect(table.find(records[index].digest)?.id == "k\(index)")
            #expect(table.find(Samples.digest(of: "rk_x\(index)")) == nil)
        }
    }
}
