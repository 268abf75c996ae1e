public import Identity
internal import Policy

/// Sessions and their tokens. Who spends a token holds its session's row, so that one at a time judges it, and no log-out comes in between.
extension PostgresStore {
    /// The row of a presented token, with those of its session and user.
    private enum Presented {
        private static func token(_ row: PostgresRow) throws(PostgresFailure) -> StoredToken {
            let pair = try TokenPair(
                refreshID: row.known(row.text(0)), accessID: row.known(row.text(1)), sessionID: row.known(row.text(2)),
                userID: row.known(row.text(3)), issuedAt: row.known(row.integer(4)),
                expiresAt: row.known(row.integer(5)))
            return StoredToken(
                pair: pair, isDead: row.isTrue(8), spentAtMilliseconds: try row.integer(6), successorID: row.text(7))
        }

        static func fetch(
            _ token: PresentedToken, from connection: PostgresConnection
        ) throws(PostgresFailure) -> StoredToken? {
            let (column, id) = place(of: token)
            // No token that was issued here has one, and PostgreSQL keeps none.
            guard !id.utf8.contains(0) else { return nil }
            let sql = """
                SELECT token.id, access_id, session_id, user_id, issued_at, token.expires_at, spent_at_ms, successor_id,
                    revoked_at IS NOT NULL OR disabled_at IS NOT NULL
                FROM gatehouse.refresh_tokens token JOIN gatehouse.sessions session ON session.id = session_id
                    JOIN gatehouse.users ON users.id = user_id
                WHERE token.\(column) = $1
                """
            let found = try connection.query(sql, [id]).map(Self.token).first
            if found == nil { try PostgresSchema.requireWhole(connection) }
            return found
        }

        /// Waits until nobody else changes the token's session, and keeps it so until the transaction ends.
        static func lock(
            _ token: PresentedToken, in connection: PostgresConnection
        ) throws(PostgresFailure) {
            let (column, id) = place(of: token)
            guard !id.utf8.contains(0) else { return }
            let sql = """
                SELECT 1 FROM gatehouse.sessions
                WHERE id = (SELECT session_id FROM gatehouse.refresh_tokens WHERE \(column) = $1) FOR UPDATE
                """
            try connection.query(sql, [id])
        }

        private static func place(of token: PresentedToken) -> (column: String, id: String) {
            switch token {
            case .refresh(let id): ("id", id)
            case .access(let id): ("access_id", id)
            }
        }
    }

    /// Begins a session, if the user is still the one whose password was checked; who changes that waits for this, or this for him.
    public func begin(_ first: TokenPair, passwordVersion: Int64) throws(StoreError) -> Bool {
        try write { connection throws(PostgresFailure) in
            let user = try connection.query(
                """
                SELECT 1 FROM gatehouse.users WHERE id = $1 AND password_version = $2::bigint AND disabled_at IS NULL FOR SHARE
                """, [first.userID, "\(passwordVersion)"])
            guard user.count == 1 else { return false }
            try connection.query(
                "INSERT INTO gatehouse.sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3::bigint, $4::bigint)",
                [first.sessionID, first.userID, "\(first.issuedAt)", "\(first.expiresAt)"])
            try Self.insert(first, into: connection)
            return true
        }
    }

    /// Judges a presented token; one that was spent while rotation was on is dead.
    public func inspect(_ token: PresentedToken) throws(StoreError) -> RefreshOutcome {
        try read { connection throws(PostgresFailure) in
            try Presented.fetch(token, from: connection)?.inspection ?? .dead
        }
    }

    /// Spends a presented token, or says what became of it before.
    public func rotate(
        _ token: PresentedToken, to successor: FreshPair, nowMilliseconds: Int64, overlap: Int64, until: Int64
    ) throws(StoreError) -> RefreshOutcome {
        try write { connection throws(PostgresFailure) in
            try Presented.lock(token, in: connection)
            guard let presented = try Presented.fetch(token, from: connection) else { return .dead }
            let pair = presented.pair
            switch presented.verdict(nowMilliseconds: nowMilliseconds, overlap: overlap) {
            case .dead: return .dead
            case .unspent:
                let next = TokenPair(successor, sessionID: pair.sessionID, userID: pair.userID)
                try Self.spend(pair, for: next, nowMilliseconds, in: connection)
                return .rotated(next)
            case .repeated(let id):
                if let known = try Presented.fetch(.refresh(id: id), from: connection) { return .repeated(known.pair) }
            case .reused: break
            }
            try Self.end(pair.sessionID, now: nowMilliseconds / 1_000, until: until, in: connection)
            return .reused(sessionID: pair.sessionID)
        }
    }

    private static func spend(
        _ pair: TokenPair, for next: TokenPair, _ nowMilliseconds: Int64, in connection: PostgresConnection
    ) throws(PostgresFailure) {
        try connection.query(
            "UPDATE gatehouse.refresh_tokens SET spent_at_ms = $1::bigint, successor_id = $2 WHERE id = $3",
            ["\(nowMilliseconds)", next.refreshID, pair.refreshID])
        try insert(next, into: connection)
        try connection.query(
            "UPDATE gatehouse.sessions SET expires_at = greatest(expires_at, $1::bigint) WHERE id = $2",
            ["\(next.expiresAt)", next.sessionID])
    }

    private static func insert(_ pair: TokenPair, into connection: PostgresConnection) throws(PostgresFailure) {
        try connection.query(
            """
            INSERT INTO gatehouse.refresh_tokens (id, access_id, session_id, issued_at, expires_at)
            VALUES ($1, $2, $3, $4::bigint, $5::bigint)
            """, [pair.refreshID, pair.accessID, pair.sessionID, "\(pair.issuedAt)", "\(pair.expiresAt)"])
    }

    /// Ends a session.
    public func endSession(_ id: String, now: Int64, until: Int64) throws(StoreError) {
        try write(.log) { connection throws(PostgresFailure) in try Self.end(id, now: now, until: until, in: connection)
        }
    }

    private static func end(
        _ id: String, now: Int64, until: Int64, in connection: PostgresConnection
    ) throws(PostgresFailure) {
        try connection.query(
            "UPDATE gatehouse.sessions SET revoked_at = $1::bigint WHERE id = $2 AND revoked_at IS NULL",
            ["\(now)", id])
        try PostgresRevocations.append([.session(id, until: until)], now: now, to: connection)
    }

    /// Revokes one token.
    public func revokeToken(_ id: String, until: Int64) throws(StoreError) {
        try write(.log) { connection throws(PostgresFailure) in
            try PostgresRevocations.append([.token(id, until: until)], now: until, to: connection)
        }
    }

    /// Rows that one transaction of a purge forgets, and transactions of one purge for each table: what is left is forgotten by the next.
    private static let purgedAtOnce = 5_000
    private static let purgesAtMost = 200

    /// Forgets what can no longer matter, in small transactions. A session's tokens go with it.
    public func purge(now: Int64) throws(StoreError) {
        let tables = [
            ("refresh_tokens", "expires_at", now), ("sessions", "expires_at", now), ("revocations", "until", now),
            ("usage", "ends_at", now), ("tickets", "ends_at_ms", now * 1_000),
        ]
        for (table, column, end) in tables {
            let sql = """
                DELETE FROM gatehouse.\(table) WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM gatehouse.\(table) WHERE \(column) <= $1::bigint LIMIT \(Self.purgedAtOnce) FOR UPDATE SKIP LOCKED))
                """
            for _ in 0..<Self.purgesAtMost {
                let count = try write { connection throws(PostgresFailure) in
                    try connection.query(sql, ["\(end)"]).affected
                }
                if count < Self.purgedAtOnce { break }
            }
        }
    }
}
