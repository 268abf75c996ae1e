internal import JOSE
internal import Transport

/// What operators do with users. Blocks: not for a shard's queue.
public struct UserService: Sendable {
    /// Why an operation was not carried out. No case carries a password or a hash.
    public enum Failure: Error, Sendable, Equatable {
        /// A value that cannot be accepted.
        case invalid(field: String, reason: String)
        /// Another user has this e-mail, or this id.
        case taken(field: String, value: String)
        /// Nobody has this e-mail.
        case unknown(email: String)
        /// The store could not carry it out; nothing was changed.
        case store(StoreError)
    }

    private let store: any IdentityStore
    /// Seconds for which what a user was issued may still be in use: revocations count as long.
    private let memory: Int64

    /// A service on `store` of a configuration whose access tokens live for `accessTTL` seconds.
    public init(store: any IdentityStore, accessTTL: Int64) {
        self.store = store
        memory = max(accessTTL, IdentityService.longestForeignToken)
    }

    /// Adds a person.
    public func add(email: String, firstName: String, lastName: String, password: String) throws(Failure) -> User {
        let user = try Self.user(id: nil, email: email, firstName: firstName, lastName: lastName)
        try Self.check(password: password)
        let stored = StoredUser(user: user, passwordHash: PasswordHash.make(password).text)
        try create([stored])
        return user
    }

    /// Everybody, by e-mail.
    public func list() throws(Failure) -> [User] {
        do throws(StoreError) { return try store.users() } catch { throw .store(error) }
    }

    /// Disables a user, or enables one. Every session ends; so do, within `revocation_lag`, tokens and API keys.
    public func setDisabled(_ isDisabled: Bool, email: String) throws(Failure) {
        let stored = try find(email)
        let now = WallClock.seconds()
        do throws(StoreError) {
            _ = try store.setDisabled(isDisabled, userID: stored.user.id, now: now, until: now + memory)
        } catch { throw .store(error) }
    }

    /// Gives a user another password. Everything that was issued before is dead.
    public func setPassword(_ password: String, email: String) throws(Failure) {
        let stored = try find(email)
        try Self.check(password: password)
        let hash = PasswordHash.make(password).text
        let now = WallClock.seconds()
        do throws(StoreError) {
            _ = try store.changePassword(of: stored.user.id, to: hash, now: now, until: now + memory)
        } catch { throw .store(error) }
    }

    /// A line of a table to import that is not good, from 1.
    public struct BadLine: Sendable, Equatable {
        /// Its number in the file.
        public let number: Int
        /// What is wrong, for people.
        public let reason: String
    }

    /// How an import ended.
    public enum Import: Sendable, Equatable {
        /// So many users were added.
        case added(Int)
        /// Nobody was: these lines are not good.
        case refused([BadLine])
    }

    /// Adds everybody in a table, one JSON object a line, or nobody: `email` and `password`, a hash in a form that
    /// `PasswordHash` reads, and as they are there `id`, `firstName`, `lastName` and `disabled`.
    public func importTable(_ bytes: [UInt8]) throws(Failure) -> Import {
        var table = ImportTable()
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            table.add(Array(line), number: index + 1)
        }
        guard table.bad.isEmpty else { return .refused(table.bad) }
        let outcome: UserCreation
        do throws(StoreError) { outcome = try store.create(table.users) } catch { throw .store(error) }
        switch outcome {
        case .created: return .added(table.users.count)
        case .taken(let index, let field):
            return .refused([BadLine(number: table.numbers[index], reason: "another user has this \(field) already")])
        }
    }

    private func create(_ users: [StoredUser]) throws(Failure) {
        let outcome: UserCreation
        do throws(StoreError) { outcome = try store.create(users) } catch { throw .store(error) }
        if case .taken(let index, let field) = outcome {
            throw .taken(field: field, value: field == "id" ? users[index].user.id : users[index].user.email)
        }
    }

    private func find(_ email: String) throws(Failure) -> StoredUser {
        let found: StoredUser?
        do throws(StoreError) {
            found = try EmailAddress.normalized(email).flatMap { email throws(StoreError) in
                try store.user(email: email)
            }
        } catch { throw .store(error) }
        guard let found else { throw .unknown(email: email) }
        return found
    }

    private static func check(password: String) throws(Failure) {
        guard PasswordText.isAcceptable(password) else {
            throw .invalid(field: "password", reason: "is not 1 to \(PasswordText.longest) bytes without NUL")
        }
    }

    /// A user with these fields, if they can be accepted.
    static func user(
        id: String?, email: String, firstName: String, lastName: String
    ) throws(Failure) -> User {
        guard let normal = EmailAddress.normalized(email) else {
            throw .invalid(field: "email", reason: "is not an e-mail address")
        }
        if let id {
            guard (1...256).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .invalid(field: "id", reason: "is not 1 to 256 visible ASCII characters")
            }
        }
        for (field, name) in [("firstName", firstName), ("lastName", lastName)] {
            guard name.utf8.count <= 400, !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
            else { throw .invalid(field: field, reason: "is longer than 400 bytes or has control characters") }
        }
        return User(
            id: id ?? Identifier.uuid(), email: normal, firstName: firstName, lastName: lastName,
            createdAt: WallClock.seconds())
    }
}

/// The lines of a table that is imported, as far as they were read.
private struct ImportTable {
    private(set) var users: [StoredUser] = []
    /// The number in the file of each user's line.
    private(set) var numbers: [Int] = []
    private(set) var bad: [UserService.BadLine] = []
    private var emails: [String: Int] = [:]
    private var ids: [String: Int] = [:]

    private struct Problem: Error { let reason: String }

    mutating func add(_ line: [UInt8], number: Int) {
        guard line.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) else { return }
        do {
            let stored = try Self.read(line)
            if let other = emails[stored.user.email] ?? ids[stored.user.id] {
                throw Problem(reason: "line \(other) has the same e-mail or id")
            }
            emails[stored.user.email] = number
            ids[stored.user.id] = number
            users.append(stored)
            numbers.append(number)
        } catch let problem as Problem {
            bad.append(UserService.BadLine(number: number, reason: problem.reason))
        } catch {
            bad.append(UserService.BadLine(number: number, reason: "\(error)"))
        }
    }

    private static func read(_ line: [UInt8]) throws -> StoredUser {
        guard let value = try? JSONReader.parse(line.span), case .object(let object) = value else {
            throw Problem(reason: "it is not a JSON object")
        }
        let known = ["id", "email", "password", "firstName", "lastName", "disabled"]
        if let other = object.members.first(where: { member in !known.contains { $0.hasSameBytes(as: member.name) } }) {
            throw Problem(
                reason: "unknown member '\(other.name.prefix(32))'; there are \(known.joined(separator: ", "))")
        }
        guard let hash = try member("password", object).flatMap(PasswordHash.init) else {
            throw Problem(
                reason: "password is not a hash that can be read: $scrypt$…, pbkdf2_sha256$…, pbkdf2_sha1$… or scrypt$…"
            )
        }
        guard let email = try member("email", object) else { throw Problem(reason: "email is missing") }
        var user: User
        do throws(UserService.Failure) {
            user = try UserService.user(
                id: try id(object), email: email, firstName: member("firstName", object) ?? "",
                lastName: member("lastName", object) ?? "")
        } catch {
            guard case .invalid(let field, let reason) = error else { throw Problem(reason: "it cannot be read") }
            throw Problem(reason: "\(field) \(reason)")
        }
        if let flag = object["disabled"] {
            guard case .bool(let isDisabled) = flag else { throw Problem(reason: "disabled is not true or false") }
            if isDisabled { user.disabledAt = user.createdAt }
        }
        return StoredUser(user: user, passwordHash: hash.text)
    }

    /// An id may be a number, as Django's are.
    private static func id(_ object: JSONObject) throws(UserService.Failure) -> String? {
        if case .integer(let number)? = object["id"] { return String(number) }
        return try member("id", object)
    }

    private static func member(_ name: String, _ object: JSONObject) throws(UserService.Failure) -> String? {
        switch object[name] {
        case .string(let text): return text
        case nil, .null: return nil
        default: throw .invalid(field: name, reason: "is not a string")
        }
    }
}
