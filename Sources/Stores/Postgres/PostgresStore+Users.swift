public import Identity
internal import Policy

/// Users.
extension PostgresStore {
    private static let columns =
        "id, email, first_name, last_name, password_hash, password_version, created_at, disabled_at, password_changed_at"

    /// What ends a transaction that is to change nothing: not for callers.
    private static let undo = PostgresFailure("undone")

    private static func storedUser(_ row: PostgresRow) throws(PostgresFailure) -> StoredUser {
        let user = try User(
            id: row.known(row.text(0)), email: row.known(row.text(1)), firstName: row.known(row.text(2)),
            lastName: row.known(row.text(3)), createdAt: row.known(row.integer(6)), disabledAt: row.integer(7),
            passwordChangedAt: row.integer(8))
        return try StoredUser(
            user: user, passwordHash: row.known(row.text(4)), passwordVersion: row.known(row.integer(5)))
    }

    /// Adds users in one transaction.
    public func create(_ users: [StoredUser]) throws(StoreError) -> UserCreation {
        var taken: UserCreation?
        do throws(StoreError) {
            try write { connection throws(PostgresFailure) in
                for (index, stored) in users.enumerated() where try !Self.insert(stored.user, stored, into: connection)
                {
                    taken = .taken(index: index, field: try Self.takenField(stored.user, in: connection))
                    throw Self.undo
                }
                // Behind all rows: the log's lock is the last that a transaction takes.
                let disabled = users.compactMap { stored in
                    stored.user.disabledAt.map { Revocation.userDisabled(stored.user.id, at: $0) }
                }
                try PostgresRevocations.append(disabled, now: 0, to: connection)
            }
            return .created
        } catch {
            if let taken { return taken }
            throw error
        }
    }

    /// False when another has the e-mail or the id.
    private static func insert(
        _ user: User, _ stored: StoredUser, into connection: PostgresConnection
    ) throws(PostgresFailure) -> Bool {
        let rows = try connection.query(
            """
            INSERT INTO gatehouse.users (\(columns))
            VALUES ($1, $2, $3, $4, $5, $6::bigint, $7::bigint, $8::bigint, $9::bigint) ON CONFLICT DO NOTHING
            """,
            [
                user.id, user.email, user.firstName, user.lastName, stored.passwordHash, "\(stored.passwordVersion)",
                "\(user.createdAt)", user.disabledAt.map(String.init), user.passwordChangedAt.map(String.init),
            ])
        return rows.affected == 1
    }

    private static func takenField(
        _ user: User, in connection: PostgresConnection
    ) throws(PostgresFailure) -> String {
        let sql = "SELECT 1 FROM gatehouse.users WHERE email = $1"
        return try connection.query(sql, [user.email]).count > 0 ? "email" : "id"
    }

    /// Every user, by e-mail.
    public func users() throws(StoreError) -> [User] {
        try read { connection throws(PostgresFailure) in
            let sql = "SELECT \(Self.columns) FROM gatehouse.users ORDER BY email"
            return try connection.unhurried { () throws(PostgresFailure) in
                try connection.query(sql).map { row throws(PostgresFailure) in try Self.storedUser(row).user }
            }
        }
    }

    /// The user with this normalised e-mail.
    public func user(email: String) throws(StoreError) -> StoredUser? {
        // PostgreSQL keeps no NUL, so nobody has such an address.
        guard !email.utf8.contains(0) else { return nil }
        return try read { connection throws(PostgresFailure) in
            // Known or not, it takes as long.
            try PostgresSchema.requireWhole(connection)
            let sql = "SELECT \(Self.columns) FROM gatehouse.users WHERE email = $1"
            return try connection.query(sql, [email]).map(Self.storedUser).first
        }
    }

    /// Keeps a stronger hash of the same password.
    public func upgradePassword(of userID: String, from old: String, to new: String) throws(StoreError) {
        try write { connection throws(PostgresFailure) in
            let sql = "UPDATE gatehouse.users SET password_hash = $1 WHERE id = $2 AND password_hash = $3"
            try connection.query(sql, [new, userID, old])
        }
    }

    /// Changes a password; what was issued before is dead.
    public func changePassword(
        of userID: String, to hash: String, now: Int64, until: Int64
    ) throws(StoreError) -> Bool {
        try write(.log) { connection throws(PostgresFailure) in
            try Self.takeTime(connection)
            defer { connection.patience = PostgresConnection.ordinaryPatience }
            let changed = try connection.query(
                """
                UPDATE gatehouse.users SET password_hash = $1, password_version = password_version + 1,
                    password_changed_at = $2::bigint WHERE id = $3
                """, [hash, "\(now)", userID])
            guard changed.affected == 1 else { return false }
            var entries = try Self.endSessions(of: userID, now: now, until: until, in: connection)
            entries.append(.tokensBefore(user: userID, moment: now, until: until))
            try PostgresRevocations.append(entries, now: now, to: connection)
            return true
        }
    }

    /// Disables or enables a user.
    public func setDisabled(
        _ isDisabled: Bool, userID: String, now: Int64, until: Int64
    ) throws(StoreError) -> Bool {
        try write(.log) { connection throws(PostgresFailure) in
            try Self.takeTime(connection)
            defer { connection.patience = PostgresConnection.ordinaryPatience }
            let changed = try connection.query(
                """
                UPDATE gatehouse.users SET disabled_at = CASE WHEN $1::boolean THEN coalesce(disabled_at, $2::bigint) END
                WHERE id = $3
                """, [isDisabled ? "true" : "false", "\(now)", userID])
            guard changed.affected == 1 else { return false }
            // Enabled again, the user logs in again: what was issued before stays dead.
            var entries: [Revocation] = []
            if isDisabled { entries = try Self.endSessions(of: userID, now: now, until: until, in: connection) }
            entries.append(isDisabled ? .userDisabled(userID, at: now) : .userEnabled(userID))
            try PostgresRevocations.append(entries, now: now, to: connection)
            return true
        }
    }

    /// A user may have a great many sessions, and has to be disabled all the same.
    private static func takeTime(_ connection: PostgresConnection) throws(PostgresFailure) {
        try connection.query("SET LOCAL statement_timeout = 0")
        connection.patience = PostgresConnection.greatPatience
    }

    /// Ends every session of a user that is not yet; each has an entry of its own: its tokens may be as young as the change.
    private static func endSessions(
        of userID: String, now: Int64, until: Int64, in connection: PostgresConnection
    ) throws(PostgresFailure) -> [Revocation] {
        let rows = try connection.query(
            "UPDATE gatehouse.sessions SET revoked_at = $1::bigint WHERE user_id = $2 AND revoked_at IS NULL RETURNING id",
            ["\(now)", userID])
        return try rows.map { row throws(PostgresFailure) in .session(try row.known(row.text(0)), until: until) }
    }
}
