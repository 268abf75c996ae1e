internal import Configuration
internal import HTTP
internal import JOSE
internal import Transport

extension IdentityService {
    /// `POST login/`. `address` is the client's, for the throttle.
    public func login(body: [UInt8], address: String, mint: TokenMint, reply: @escaping Reply) {
        enter(reply) { [self] () throws(Refusal) in
            let attempt = try LoginAttempt(body, address: address)
            enqueue(about: attempt.email, reply) { [self] () throws(Refusal) in try consider(attempt, mint, reply) }
            return nil
        }
    }

    /// Has the password checked when the throttle lets it; asks that again while others of this account are being checked.
    private func consider(_ attempt: LoginAttempt, _ mint: TokenMint, _ reply: @escaping Reply) throws(Refusal)
        -> IdentityReply?
    {
        switch logins.begin(account: attempt.email, address: attempt.address, now: MonotonicTime.now().nanoseconds) {
        case .refused(let seconds): throw .rateLimited(retryAfter: seconds)
        case .wait:
            guard attempt.age < Self.loginPatience else { throw .loginBusy(retryAfter: Self.busyRetryAfter) }
            enqueueLater(about: attempt.email, reply) { [self] () throws(Refusal) in
                try consider(attempt, mint, reply)
            }
            return nil
        case .goOn: break
        }
        let known: StoredUser?
        do throws(Refusal) {
            known = try asking { store throws(StoreError) in try store.user(email: attempt.email) }
        } catch {
            end(attempt, failed: false)
            throw error
        }
        if hashes.submit({ [self] in check(attempt, known, mint, reply) }) { return nil }
        end(attempt, failed: false)
        throw .loginBusy(retryAfter: Self.busyRetryAfter)
    }

    /// On the hash queue. An unknown e-mail costs the same work and gets the same answer as a wrong password.
    private func check(_ attempt: LoginAttempt, _ known: StoredUser?, _ mint: TokenMint, _ reply: @escaping Reply) {
        let hash = known.flatMap { PasswordHash($0.passwordHash) }
        let isEnabled = known.map { $0.user.disabledAt == nil } ?? false
        guard passwordCost.matches(attempt.password, hash, mayLogIn: isEnabled), let known, let hash else {
            end(attempt, failed: true)
            return reply(.refused(.loginFailed))
        }
        end(attempt, failed: false)
        let stronger = hash.isCurrent ? nil : PasswordHash.make(attempt.password)
        enqueue(about: attempt.email, reply) { [self] () throws(Refusal) in
            try begin(known, stronger: stronger, mint)
        }
    }

    private func end(_ attempt: LoginAttempt, failed: Bool) {
        logins.ended(
            account: attempt.email, address: attempt.address, failed: failed, now: MonotonicTime.now().nanoseconds)
    }

    /// The password was right: begins a session.
    private func begin(
        _ known: StoredUser, stronger: PasswordHash?, _ mint: TokenMint
    ) throws(Refusal) -> IdentityReply {
        let user = known.user
        let fresh = FreshPair(now: WallClock.seconds(), lifetime: mint.settings.refreshTTL)
        let pair = TokenPair(fresh, sessionID: Identifier.uuid(), userID: user.id)
        let hasBegun = try asking { store throws(StoreError) in
            if let stronger {
                try store.upgradePassword(of: user.id, from: known.passwordHash, to: stronger.text)
            }
            return try store.begin(pair, passwordVersion: known.passwordVersion)
        }
        // Disabled, or given another password, while this one was checked.
        guard hasBegun else { throw .loginFailed }
        let tokens = try issue(pair, mint)
        return .tokens(tokens, body: JSONWriter.encode(Self.answer(to: user, tokens)))
    }

    /// Both tokens of a pair.
    func issue(_ pair: TokenPair, _ mint: TokenMint) throws(Refusal) -> IssuedTokens {
        do throws(KeyError) {
            return IssuedTokens(access: try mint.access(of: pair), refresh: try mint.refresh(of: pair))
        } catch { throw .keysUnavailable(issuer: "identity") }
    }

    private static func answer(to user: User, _ tokens: IssuedTokens) -> JSONObject {
        [
            "access": .string(tokens.access), "refresh": .string(tokens.refresh ?? ""),
            "user": .object([
                "id": .string(user.id), "email": .string(user.email), "firstName": .string(user.firstName),
                "lastName": .string(user.lastName),
            ]),
        ]
    }
}

/// An attempt to log in whose fields are well-formed.
private struct LoginAttempt: Sendable {
    let email: String
    let password: String
    let address: String
    private let begun = MonotonicTime.now().nanoseconds

    /// Nanoseconds since it came.
    var age: Int64 { MonotonicTime.now().nanoseconds - begun }

    init(_ body: [UInt8], address: String) throws(Refusal) {
        let fields = try RequestBody(body)
        let email = try fields.text("email")
        password = try fields.text("password")
        guard let normalized = EmailAddress.normalized(email) else {
            throw .badRequest(field: "email", reason: "is not an e-mail address")
        }
        guard PasswordText.isAcceptable(password) else {
            throw .badRequest(field: "password", reason: "is empty, too long or has a NUL")
        }
        self.email = normalized
        self.address = address
    }
}
