internal import GRDB
internal import Identity

/// A row of `users` and the person that it holds.
enum UserRow {
    static let columns =
        "id, email, first_name, last_name, password_hash, password_version, created_at, disabled_at, password_changed_at"

    static func user(_ row: Row) -> User {
        User(
            id: row["id"], email: row["email"], firstName: row["first_name"], lastName: row["last_name"],
            createdAt: row["created_at"], disabledAt: row["disabled_at"],
            passwordChangedAt: row["password_changed_at"])
    }

    static func storedUser(_ row: Row) -> StoredUser {
        StoredUser(
            user: user(row), passwordHash: row["password_hash"], passwordVersion: row["password_version"])
    }

    static func insert(_ stored: StoredUser, into database: Database) throws {
        let user = stored.user
        try database.execute(
            sql: "INSERT INTO users (\(columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                user.id, user.email, user.firstName, user.lastName, stored.passwordHash,
                stored.passwordVersion, user.createdAt, user.disabledAt, user.passwordChangedAt,
            ])
    }

    /// Which field of a user another one has already.
    static func takenField(_ user: User, in database: Database) throws -> String? {
        let sql = "SELECT email = ?1 AS is_email FROM users WHERE email = ?1 OR id = ?2 ORDER BY 1 DESC LIMIT 1"
        guard let row = try Row.fetchOne(database, sql: sql, arguments: [user.email, user.id]) else { return nil }
        return row["is_email"] ? "email" : "id"
    }
}
