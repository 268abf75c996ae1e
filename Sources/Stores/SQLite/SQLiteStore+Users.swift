internal import GRDB
public import Identity
internal import Policy

/// Users.
extension SQLiteStore {
    /// Adds users in one transaction.
    public func create(_ users: [StoredUser]) throws(StoreError) -> UserCreation {
        try write { database in
            var outcome = UserCreation.created
            try database.inSavepoint {
                for (index, stored) in users.enumerated() {
                    if let field = try UserRow.takenField(stored.user, in: database) {
                        outcome = .taken(index: index, field: field)
                        return .rollback
                    }
                    try UserRow.insert(stored, into: database)
                    guard let time = stored.user.disabledAt else { continue }
                    try RevocationRow.append(.userDisabled(stored.user.id, at: time), now: time, to: database)
                }
                return .commit
            }
            return outcome
        }
    }

    /// Every user, by e-mail.
    public func users() throws(StoreError) -> [User] {
        try read { database in
            let sql = "SELECT \(UserRow.columns) FROM users ORDER BY email"
            return try Row.fetchAll(database, sql: sql).map(UserRow.user)
        }
    }

    /// The user with this normalised e-mail.
    public func user(email: String) throws(StoreError) -> StoredUser? {
        try read { database in
            let sql = "SELECT \(UserRow.columns) FROM users WHERE email = ?"
            return try Row.fetchOne(database, sql: sql, arguments: [email]).map(UserRow.storedUser)
        }
    }

    /// Keeps a stronger hash of the same password.
    public func upgradePassword(of userID: String, from old: String, to new: String) throws(StoreError) {
        try write { database in
            let sql = "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?"
            try database.execute(sql: sql, arguments: [new, userID, old])
        }
    }

    /// Changes a password; what was issued before is dead.
    public func changePassword(
        of userID: String, to hash: String, now: Int64, until: Int64
    ) throws(StoreError) -> Bool {
        try write { database in
            let sql =
                "UPDATE users SET password_hash = ?, password_version = password_version + 1, password_changed_at = ? WHERE id = ?"
            try database.execute(sql: sql, arguments: [hash, now, userID])
            guard database.changesCount == 1 else { return false }
            try Self.endSessions(of: userID, now: now, until: until, in: database)
            let entry = Revocation.tokensBefore(user: userID, moment: now, until: until)
            try RevocationRow.append(entry, now: now, to: database)
            return true
        }
    }

    /// Disables or enables a user.
    public func setDisabled(
        _ isDisabled: Bool, userID: String, now: Int64, until: Int64
    ) throws(StoreError) -> Bool {
        try write { database in
            let sql = "UPDATE users SET disabled_at = iif(?1, ifnull(disabled_at, ?2), NULL) WHERE id = ?3"
            try database.execute(sql: sql, arguments: [isDisabled, now, userID])
            guard database.changesCount == 1 else { return false }
            // Enabled again, the user logs in again: what was issued before stays dead.
            if isDisabled { try Self.endSessions(of: userID, now: now, until: until, in: database) }
            try RevocationRow.append(
                isDisabled ? .userDisabled(userID, at: now) : .userEnabled(userID), now: now, to: database)
            return true
        }
    }

    /// Revokes every session of a user that is not yet, each by its own entry: its tokens may be as young as the change.
    private static func endSessions(of userID: String, now: Int64, until: Int64, in database: Database) throws {
        let ids = try String.fetchAll(
            database,
            sql: "UPDATE sessions SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL RETURNING id",
            arguments: [now, userID])
        for id in ids { try RevocationRow.append(.session(id, until: until), now: now, to: database) }
    }
}
