/// The tables in PostgreSQL, all in a schema of their own, `gatehouse`, as the sequence of steps that made them. A step that was
/// released never changes.
///
/// Times are unix seconds. Texts are compared byte for byte. Both counters, of changed keys and of revocations, rise under the lock of their
/// row, within the transaction that they count: who reads a value has everything up to it, which a sequence of PostgreSQL's does
/// not promise.
enum PostgresSchema {
    /// The channel of `NOTIFY` that says that a counter has risen.
    static let channel = "gatehouse"

    private static let steps = [tables, triggers, tickets]

    /// A restored schema has its triggers last: before, counters and what they count do not belong together.
    static let halfMade = PostgresFailure(
        "the schema 'gatehouse' is not whole: its triggers are missing", state: "XX001")
    /// Whether changed keys are counted.
    static let countsKeys = hasTrigger("changed", of: "api_keys")
    /// Whether revocations are counted.
    static let countsRevocations = hasTrigger("numbered", of: "revocations")

    /// Whether there is all of it.
    static let isWhole = "(\(countsKeys) AND \(countsRevocations))"

    /// Throws unless there is all of it: what is not found may only not be there yet.
    static func requireWhole(_ connection: PostgresConnection) throws(PostgresFailure) {
        guard try connection.query("SELECT \(isWhole)").first?.isTrue(0) == true else { throw halfMade }
    }

    private static func hasTrigger(_ name: String, of table: String) -> String {
        """
        EXISTS (SELECT FROM pg_trigger
            WHERE tgrelid = 'gatehouse.\(table)'::regclass AND tgname = '\(name)' AND tgenabled <> 'D')
        """
    }

    /// Any number, the same for every process: who migrates holds this advisory lock.
    private static let lock = "7240915386012574"

    /// Whether there is a store of this version or an older one; throws for a newer one.
    static func isThere(_ connection: PostgresConnection) throws(PostgresFailure) -> Bool {
        try version(connection) != nil
    }

    /// Brings the schema to the newest version, in a transaction that is open.
    static func migrate(_ connection: PostgresConnection) throws(PostgresFailure) {
        if try version(connection) == steps.count { return }
        connection.patience = PostgresConnection.greatPatience
        defer { connection.patience = PostgresConnection.ordinaryPatience }
        try connection.run("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '50s'")
        try connection.query("SELECT pg_advisory_xact_lock($1::bigint)", [lock])
        let known = try version(connection)
        if known == nil {
            // An administrator may have made it, for a role that must not make one.
            if try connection.query("SELECT 1 FROM pg_namespace WHERE nspname = 'gatehouse'").count == 0 {
                try connection.run("CREATE SCHEMA gatehouse")
            }
            try connection.run(
                "CREATE TABLE gatehouse.version (value INTEGER NOT NULL); INSERT INTO gatehouse.version VALUES (0)")
        }
        for step in steps[(known ?? 0)...] { try connection.run(step) }
        try connection.query("UPDATE gatehouse.version SET value = $1::integer", ["\(steps.count)"])
    }

    private static func version(_ connection: PostgresConnection) throws(PostgresFailure) -> Int? {
        // Not `to_regclass`, which remembers for the whole transaction what was not there when it began.
        let tables = try connection.query(
            """
            SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE nspname = 'gatehouse' AND relname = 'version'
            """)
        guard tables.count > 0 else { return nil }
        guard let row = try connection.query("SELECT value FROM gatehouse.version").first else { return nil }
        let version = Int(try row.known(row.integer(0)))
        guard (0...steps.count).contains(version) else {
            throw PostgresFailure("a newer version of gatehouse wrote it; use that version", state: "XX001")
        }
        return version
    }

    private static let tables = """
        CREATE TABLE gatehouse.key_changes (
            single BOOLEAN PRIMARY KEY CHECK (single),
            value BIGINT NOT NULL,
            whole BIGINT NOT NULL,
            transaction BIGINT NOT NULL
        );
        INSERT INTO gatehouse.key_changes VALUES (true, 1, 0, 0);
        CREATE TABLE gatehouse.revocation_count (
            single BOOLEAN PRIMARY KEY CHECK (single),
            value BIGINT NOT NULL
        );
        INSERT INTO gatehouse.revocation_count VALUES (true, 0);
        CREATE TABLE gatehouse.api_keys (
            id TEXT COLLATE "C" PRIMARY KEY,
            agent_id TEXT COLLATE "C" NOT NULL,
            owner_id TEXT COLLATE "C" NOT NULL,
            name TEXT NOT NULL,
            prefix TEXT NOT NULL,
            digest BYTEA NOT NULL UNIQUE CHECK (length(digest) = 32),
            created_at BIGINT NOT NULL,
            expires_at BIGINT,
            revoked_at BIGINT,
            grace_until BIGINT,
            successor_id TEXT,
            last_used_at BIGINT,
            rate_limit TEXT,
            quota TEXT,
            position BIGINT GENERATED ALWAYS AS IDENTITY,
            changed BIGINT NOT NULL
        );
        CREATE INDEX api_keys_by_change ON gatehouse.api_keys (changed);
        CREATE INDEX api_keys_by_agent ON gatehouse.api_keys (agent_id, created_at);
        CREATE TABLE gatehouse.users (
            id TEXT COLLATE "C" PRIMARY KEY,
            email TEXT COLLATE "C" NOT NULL UNIQUE,
            first_name TEXT NOT NULL,
            last_name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            password_version BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            disabled_at BIGINT,
            password_changed_at BIGINT
        );
        CREATE TABLE gatehouse.sessions (
            id TEXT COLLATE "C" PRIMARY KEY,
            user_id TEXT COLLATE "C" NOT NULL REFERENCES gatehouse.users (id) ON DELETE CASCADE,
            created_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            revoked_at BIGINT
        );
        CREATE INDEX sessions_by_user ON gatehouse.sessions (user_id);
        CREATE INDEX sessions_by_expiry ON gatehouse.sessions (expires_at);
        CREATE TABLE gatehouse.refresh_tokens (
            id TEXT COLLATE "C" PRIMARY KEY,
            access_id TEXT COLLATE "C" NOT NULL UNIQUE,
            session_id TEXT COLLATE "C" NOT NULL REFERENCES gatehouse.sessions (id) ON DELETE CASCADE,
            issued_at BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            spent_at_ms BIGINT,
            successor_id TEXT COLLATE "C"
        );
        CREATE INDEX refresh_tokens_by_session ON gatehouse.refresh_tokens (session_id);
        CREATE INDEX refresh_tokens_by_expiry ON gatehouse.refresh_tokens (expires_at);
        CREATE TABLE gatehouse.revocations (
            sequence BIGINT PRIMARY KEY,
            kind INTEGER NOT NULL,
            subject TEXT COLLATE "C" NOT NULL,
            moment BIGINT,
            until BIGINT NOT NULL
        );
        CREATE INDEX revocations_by_until ON gatehouse.revocations (until);
        CREATE INDEX revocations_by_subject ON gatehouse.revocations (subject);
        CREATE TABLE gatehouse.usage (
            scope TEXT COLLATE "C" NOT NULL,
            subject TEXT COLLATE "C" NOT NULL,
            starts_at BIGINT NOT NULL,
            ends_at BIGINT NOT NULL,
            count BIGINT NOT NULL,
            PRIMARY KEY (scope, subject, starts_at, ends_at)
        );
        CREATE INDEX usage_by_end ON gatehouse.usage (ends_at);
        """

    /// One-time tickets live for half a minute: they need not outlive a crash of the server.
    private static let tickets = """
        CREATE UNLOGGED TABLE gatehouse.tickets (
            digest BYTEA PRIMARY KEY,
            holder BYTEA NOT NULL,
            sealed BYTEA NOT NULL,
            ends_at_ms BIGINT NOT NULL
        );
        CREATE INDEX tickets_by_end ON gatehouse.tickets (ends_at_ms);
        CREATE INDEX tickets_by_holder ON gatehouse.tickets (holder);
        """

    /// What a request may be judged by counts as a change, by triggers, so that no writer can forget it; last uses do not. Each key says at
    /// which reading of the counter it changed last, one for all of a transaction. Behind `whole` a key was deleted, or became
    /// another: only all that are left tell that.
    private static let triggers = """
        CREATE FUNCTION gatehouse.note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
            BEGIN
                UPDATE gatehouse.key_changes SET value = value + 1, transaction = txid_current()
                    WHERE transaction <> txid_current();
                IF TG_OP = 'UPDATE' AND (NEW.id, NEW.digest) IS DISTINCT FROM (OLD.id, OLD.digest) THEN
                    UPDATE gatehouse.key_changes SET whole = value;
                END IF;
                SELECT value INTO NEW.changed FROM gatehouse.key_changes;
                PERFORM pg_notify('\(channel)', '');
                RETURN NEW;
            END
        $$;
        CREATE TRIGGER changed BEFORE INSERT OR UPDATE OF id, agent_id, owner_id, name, prefix, digest, created_at, expires_at,
            revoked_at, grace_until, rate_limit, quota ON gatehouse.api_keys
            FOR EACH ROW EXECUTE FUNCTION gatehouse.note_change();
        CREATE FUNCTION gatehouse.note_deletion() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
            BEGIN
                UPDATE gatehouse.key_changes SET value = value + 1, whole = value + 1, transaction = txid_current();
                PERFORM pg_notify('\(channel)', '');
                RETURN NULL;
            END
        $$;
        CREATE TRIGGER deleted AFTER DELETE OR TRUNCATE ON gatehouse.api_keys
            FOR EACH STATEMENT EXECUTE FUNCTION gatehouse.note_deletion();
        CREATE FUNCTION gatehouse.number_revocation() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
            BEGIN
                UPDATE gatehouse.revocation_count SET value = value + 1 RETURNING value INTO NEW.sequence;
                RETURN NEW;
            END
        $$;
        CREATE TRIGGER numbered BEFORE INSERT ON gatehouse.revocations
            FOR EACH ROW WHEN (NEW.sequence IS NULL) EXECUTE FUNCTION gatehouse.number_revocation();
        CREATE FUNCTION gatehouse.tell() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
            BEGIN
                PERFORM pg_notify('\(channel)', '');
                RETURN NULL;
            END
        $$;
        CREATE TRIGGER told AFTER INSERT ON gatehouse.revocations
            FOR EACH STATEMENT EXECUTE FUNCTION gatehouse.tell();
        """
}
