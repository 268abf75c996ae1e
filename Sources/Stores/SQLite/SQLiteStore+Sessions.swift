internal import GRDB
public import Identity
internal import Policy

/// Sessions and their tokens.
extension SQLiteStore {
    /// The row of a presented token, with those of its session and user.
    private enum Presented {
        private static func token(_ row: Row) -> StoredToken {
            let pair = TokenPair(
                refreshID: row["id"], accessID: row["access_id"], sessionID: row["session_id"],
                userID: row["user_id"], issuedAt: row["issued_at"], expiresAt: row["expires_at"])
            return StoredToken(
                pair: pair, isDead: row["is_dead"], spentAtMilliseconds: row["spent_at_ms"],
                successorID: row["successor_id"])
        }

        static func fetch(_ token: PresentedToken, from database: Database) throws -> StoredToken? {
            let (column, id) =
                switch token {
                case .refresh(let id): ("id", id)
                case .access(let id): ("access_id", id)
                }
            let sql = """
                SELECT refresh_tokens.id, access_id, session_id, user_id, issued_at, refresh_tokens.expires_at, spent_at_ms,
                    successor_id, revoked_at IS NOT NULL OR disabled_at IS NOT NULL AS is_dead
                FROM refresh_tokens JOIN sessions ON sessions.id = session_id JOIN users ON users.id = user_id
                WHERE refresh_tokens.\(column) = ?
                """
            return try Row.fetchOne(database, sql: sql, arguments: [id]).map(Self.token)
        }
    }

    /// Begins a session, if the user is still the one whose password was checked.
    public func begin(_ first: TokenPair, passwordVersion: Int64) throws(StoreError) -> Bool {
        try write { database in
            let sql = """
                INSERT INTO sessions (id, user_id, created_at, expires_at)
                SELECT ?, id, ?, ? FROM users WHERE id = ? AND password_version = ? AND disabled_at IS NULL
                """
            try database.execute(
                sql: sql, arguments: [first.sessionID, first.issuedAt, first.expiresAt, first.userID, passwordVersion])
            guard database.changesCount == 1 else { return false }
            try Self.insert(first, into: database)
            return true
        }
    }

    /// Judges a presented token; one that was spent while rotation was on is dead.
    public func inspect(_ token: PresentedToken) throws(StoreError) -> RefreshOutcome {
        try read { database in
            try Presented.fetch(token, from: database)?.inspection ?? .dead
        }
    }

    /// Spends a presented token, or says what became of it before.
    public func rotate(
        _ token: PresentedToken, to successor: FreshPair, nowMilliseconds: Int64, overlap: Int64, until: Int64
    ) throws(StoreError) -> RefreshOutcome {
        try write { database in
            guard let presented = try Presented.fetch(token, from: database) else { return .dead }
            let pair = presented.pair
            switch presented.verdict(nowMilliseconds: nowMilliseconds, overlap: overlap) {
            case .dead: return .dead
            case .unspent:
                let next = TokenPair(successor, sessionID: pair.sessionID, userID: pair.userID)
                try Self.spend(pair, for: next, nowMilliseconds, in: database)
                return .rotated(next)
            case .repeated(let id):
                if let known = try Presented.fetch(.refresh(id: id), from: database) { return .repeated(known.pair) }
            case .reused: break
            }
            try Self.end(pair.sessionID, now: nowMilliseconds / 1_000, until: until, in: database)
            return .reused(sessionID: pair.sessionID)
        }
    }

    private static func spend(
        _ pair: TokenPair, for next: TokenPair, _ nowMilliseconds: Int64, in database: Database
    ) throws {
        try database.execute(
            sql: "UPDATE refresh_tokens SET spent_at_ms = ?, successor_id = ? WHERE id = ?",
            arguments: [nowMilliseconds, next.refreshID, pair.refreshID])
        try insert(next, into: database)
        try database.execute(
            sql: "UPDATE sessions SET expires_at = max(expires_at, ?) WHERE id = ?",
            arguments: [next.expiresAt, next.sessionID])
    }

    private static func insert(_ pair: TokenPair, into database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO refresh_tokens (id, access_id, session_id, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [pair.refreshID, pair.accessID, pair.sessionID, pair.issuedAt, pair.expiresAt])
    }

    /// Ends a session.
    public func endSession(_ id: String, now: Int64, until: Int64) throws(StoreError) {
        try write { try Self.end(id, now: now, until: until, in: $0) }
    }

    private static func end(_ id: String, now: Int64, until: Int64, in database: Database) throws {
        try database.execute(
            sql: "UPDATE sessions SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", arguments: [now, id])
        try RevocationRow.append(.session(id, until: until), now: now, to: database)
    }

    /// Revokes one token.
    public func revokeToken(_ id: String, until: Int64) throws(StoreError) {
        try write { try RevocationRow.append(.token(id, until: until), now: until, to: $0) }
    }

    /// Forgets what can no longer matter. A session's tokens go with it.
    public func purge(now: Int64) throws(StoreError) {
        try write { database in
            try database.execute(sql: "DELETE FROM sessions WHERE expires_at <= ?", arguments: [now])
            try database.execute(sql: "DELETE FROM refresh_tokens WHERE expires_at <= ?", arguments: [now])
            try database.execute(sql: "DELETE FROM revocations WHERE until <= ?", arguments: [now])
            try database.execute(sql: "DELETE FROM usage WHERE ends_at <= ?", arguments: [now])
            try database.execute(sql: "DELETE FROM tickets WHERE ends_at_ms <= ?", arguments: [now * 1_000])
        }
    }
}
