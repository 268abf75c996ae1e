import Identity
import Policy
import Testing

@testable import Stores

@Suite("Users, sessions and revocations survive in the store")
struct AccountTests {
    static let now: Int64 = 1_800_000_000
    static let until = now + 3_600

    private func user(_ name: String, disabledAt: Int64? = nil) -> StoredUser {
        StoredUser(
            user: User(
                id: "id-\(name)", email: "\(name)@example.com", firstName: "A", lastName: "B", createdAt: Self.now,
                disabledAt: disabledAt), passwordHash: "hash-\(name)")
    }

    private func pair(_ user: String = "ann", session: String = "s1", lifetime: Int64 = 3_600) -> TokenPair {
        TokenPair(FreshPair(now: Self.now, lifetime: lifetime), sessionID: session, userID: "id-\(user)")
    }

    @Test("users come back, and none is added when one of them is taken", arguments: StoreKind.all)
    func users(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        #expect(try store.create([user("ann"), user("bob", disabledAt: Self.now)]) == .created)
        #expect(try store.user(email: "ann@example.com") == user("ann"))
        #expect(try store.user(email: "nobody@example.com") == nil)
        #expect(try store.create([user("cid"), user("ann")]) == .taken(index: 1, field: "email"))
        #expect(try store.create([user("dan"), user("dan")]) == .taken(index: 1, field: "email"))
        #expect(try store.users().map(\.email) == ["ann@example.com", "bob@example.com"])
        #expect(try store.entries() == [.userDisabled("id-bob", at: Self.now)])
    }

    @Test("a session begins with the password that was checked, for a user who may", arguments: StoreKind.all)
    func begin(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.create([user("ann"), user("bob", disabledAt: Self.now)])
        #expect(try store.begin(pair(), passwordVersion: 0))
        #expect(try !store.begin(pair("bob", session: "s2"), passwordVersion: 0), "disabled")
        #expect(try store.changePassword(of: "id-ann", to: "other", now: Self.now, until: Self.until))
        #expect(try !store.begin(pair(session: "s3"), passwordVersion: 0), "another password meanwhile")
        try store.upgradePassword(of: "id-ann", from: "other", to: "stronger")
        try store.upgradePassword(of: "id-ann", from: "other", to: "late")
        #expect(try store.user(email: "ann@example.com")?.passwordHash == "stronger")
        #expect(try store.begin(pair(session: "s4"), passwordVersion: 1), "an upgrade is no change")
    }

    @Test(
        "a refresh token is good once, gives its successor again for a while, and then ends its session",
        arguments: StoreKind.all)
    func rotation(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.create([user("ann")])
        let first = pair()
        _ = try store.begin(first, passwordVersion: 0)
        guard case .rotated(let second) = try store.spend(.refresh(id: first.refreshID)) else {
            Issue.record("the first use")
            return
        }
        #expect(second.sessionID == "s1" && second.userID == "id-ann")
        #expect(
            try store.spend(.refresh(id: first.refreshID), at: 9) == .repeated(second),
            "RFC 9700 §4.14.2 and the overlap")
        #expect(try store.spend(.access(id: first.accessID), at: 9) == .repeated(second), "the pair is one")
        guard case .rotated(let third) = try store.spend(.access(id: second.accessID), at: 9) else {
            Issue.record("by the access token")
            return
        }
        #expect(try store.spend(.refresh(id: first.refreshID), at: 10) == .reused(sessionID: "s1"))
        #expect(try store.spend(.refresh(id: third.refreshID), at: 10) == .dead)
        #expect(try store.entries() == [.session("s1", until: Self.until)])
        #expect(try store.spend(.refresh(id: "unknown")) == .dead)
    }

    @Test("without overlap a second use is a reuse at once", arguments: StoreKind.all)
    func noOverlap(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.create([user("ann")])
        let first = pair()
        _ = try store.begin(first, passwordVersion: 0)
        _ = try store.spend(.refresh(id: first.refreshID), overlap: 0)
        #expect(try store.spend(.refresh(id: first.refreshID), overlap: 0) == .reused(sessionID: "s1"))
    }

    @Test("without rotation a refresh token stays unspent until its session or its user ends", arguments: StoreKind.all)
    func inspection(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.create([user("ann")])
        for session in ["s1", "s2", "s3"] { _ = try store.begin(pair(session: session), passwordVersion: 0) }
        let first = pair(session: "s4")
        _ = try store.begin(first, passwordVersion: 0)
        let token = PresentedToken.refresh(id: first.refreshID)
        #expect(try store.inspect(token) == .unspent(first))
        try store.endSession("s4", now: Self.now, until: Self.until)
        #expect(try store.inspect(token) == .dead)
        #expect(try store.setDisabled(true, userID: "id-ann", now: Self.now, until: Self.until))
        #expect(try store.setDisabled(false, userID: "id-ann", now: Self.now, until: Self.until))
        let log = try store.entries()
        for session in ["s1", "s2", "s3", "s4"] { #expect(log.contains(.session(session, until: Self.until))) }
        #expect(!log.contains(.userDisabled("id-ann", at: Self.now)) && log.contains(.userEnabled("id-ann")))
        #expect(try !store.setDisabled(true, userID: "nobody", now: Self.now, until: Self.until))
    }

    @Test(
        "the log goes on where it was left, in this process and after another opened the file", arguments: StoreKind.all
    )
    func log(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        try store.revokeToken("j1", until: Self.until)
        let first = try store.revocations(after: -1, now: Self.now)
        #expect(first.isWhole && first.entries == [.token("j1", until: Self.until)])
        let other = try bed.open()
        try other.endSession("s1", now: Self.now, until: Self.until)
        let second = try store.revocations(after: first.sequence, now: Self.now)
        #expect(!second.isWhole && second.entries == [.session("s1", until: Self.until)])
        #expect(try store.entries(after: second.sequence).isEmpty)
        try store.purge(now: Self.until)
        try store.revokeToken("j2", until: Self.until + 9)
        #expect(
            try store.entries(after: second.sequence) == [.token("j2", until: Self.until + 9)], "no number comes twice")
        #expect(try store.entries(now: Self.until + 9).isEmpty, "what is over does not count")
    }

    @Test("what is over is forgotten", arguments: StoreKind.all)
    func purge(_ kind: StoreKind) throws {
        let bed = try StoreBed(kind)
        let store = try bed.open()
        _ = try store.create([user("ann")])
        let first = pair(lifetime: 10)
        _ = try store.begin(first, passwordVersion: 0)
        try store.purge(now: Self.now + 9)
        #expect(try store.inspect(.refresh(id: first.refreshID)) == .unspent(first))
        try store.purge(now: Self.now + 10)
        #expect(try store.inspect(.refresh(id: first.refreshID)) == .dead)
    }
}

extension IdentityStore {
    fileprivate func entries(after sequence: Int64 = -1, now: Int64 = AccountTests.now) throws -> [Revocation] {
        try revocations(after: sequence, now: now).entries
    }

    fileprivate func spend(
        _ token: PresentedToken, at seconds: Int64 = 0, overlap: Int64 = 10
    ) throws -> RefreshOutcome {
        try rotate(
            token, to: FreshPair(now: AccountTests.now + seconds, lifetime: 3_600),
            nowMilliseconds: (AccountTests.now + seconds) * 1_000, overlap: overlap * 1_000, until: AccountTests.until)
    }
}
