internal import GRDB

/// The tables of the embedded store, as the sequence of steps that made them. A step that was released never changes.
///
/// Times are unix seconds. `change_sequence` rises within every transaction that changes what a request may be judged by,
/// through triggers, so that no writer can forget it; last uses do not count.
enum SQLiteSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 api keys") { database in
            try database.execute(sql: apiKeys)
        }
        migrator.registerMigration("2 users, sessions, revocations") { database in
            try database.execute(sql: accounts)
        }
        migrator.registerMigration("3 limits of keys, usage") { database in
            try database.execute(sql: usage)
        }
        migrator.registerMigration("4 changes of keys") { database in
            try database.execute(sql: changes)
        }
        migrator.registerMigration("5 tickets") { database in
            try database.execute(sql: tickets)
        }
        return migrator
    }

    private static let tickets = """
        CREATE TABLE tickets (
            digest BLOB PRIMARY KEY NOT NULL,
            holder BLOB NOT NULL,
            sealed BLOB NOT NULL,
            ends_at_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tickets_by_end ON tickets (ends_at_ms);
        CREATE INDEX tickets_by_holder ON tickets (holder, ends_at_ms);
        """

    private static let apiKeys = """
        CREATE TABLE change_sequence (
            only INTEGER PRIMARY KEY CHECK (only = 1),
            value INTEGER NOT NULL
        ) STRICT;
        INSERT INTO change_sequence VALUES (1, 1);
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY NOT NULL,
            agent_id TEXT NOT NULL,
            owner_id TEXT NOT NULL,
            name TEXT NOT NULL,
            prefix TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            revoked_at INTEGER,
            grace_until INTEGER,
            successor_id TEXT,
            last_used_at INTEGER
        ) STRICT;
        CREATE INDEX api_keys_by_agent ON api_keys (agent_id, created_at);
        CREATE TRIGGER api_keys_inserted AFTER INSERT ON api_keys
            BEGIN UPDATE change_sequence SET value = value + 1; END;
        CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys
            BEGIN UPDATE change_sequence SET value = value + 1; END;
        CREATE TRIGGER api_keys_updated AFTER UPDATE OF id, agent_id, owner_id, name, prefix, digest, created_at,
            expires_at, revoked_at, grace_until ON api_keys
            BEGIN UPDATE change_sequence SET value = value + 1; END;
        """

    private static let usage = """
        ALTER TABLE api_keys ADD COLUMN rate_limit TEXT;
        ALTER TABLE api_keys ADD COLUMN quota TEXT;
        CREATE TABLE usage (
            scope TEXT NOT NULL,
            subject TEXT NOT NULL,
            starts_at INTEGER NOT NULL,
            ends_at INTEGER NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (scope, subject, starts_at, ends_at)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX usage_by_end ON usage (ends_at);
        """

    /// Each key says at which reading of the counter it changed last, so that nobody reads a million to learn of one. Behind `whole` a key was
    /// deleted, or became another: only all that are left tell that.
    private static let changes = """
        ALTER TABLE change_sequence ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE api_keys ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX api_keys_by_change ON api_keys (changed);
        DROP TRIGGER api_keys_inserted;
        DROP TRIGGER api_keys_deleted;
        DROP TRIGGER api_keys_updated;
        CREATE TRIGGER api_keys_inserted AFTER INSERT ON api_keys BEGIN
            UPDATE change_sequence SET value = value + 1;
            UPDATE api_keys SET changed = (SELECT value FROM change_sequence) WHERE id = new.id;
        END;
        CREATE TRIGGER api_keys_updated AFTER UPDATE OF agent_id, owner_id, name, prefix, created_at, expires_at, revoked_at,
            grace_until, rate_limit, quota ON api_keys BEGIN
            UPDATE change_sequence SET value = value + 1;
            UPDATE api_keys SET changed = (SELECT value FROM change_sequence) WHERE id = new.id;
        END;
        CREATE TRIGGER api_keys_overwritten BEFORE INSERT ON api_keys
            WHEN EXISTS (SELECT 1 FROM api_keys WHERE id = new.id OR digest = new.digest)
            BEGIN UPDATE change_sequence SET value = value + 1, whole = value + 1; END;
        CREATE TRIGGER api_keys_replaced AFTER UPDATE OF id, digest ON api_keys
            BEGIN UPDATE change_sequence SET value = value + 1, whole = value + 1; END;
        CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys
            BEGIN UPDATE change_sequence SET value = value + 1, whole = value + 1; END;
        """

    /// `revocations` is a log that only grows at its end: `sequence` is never used twice. `kind` is that of `RevocationRow`.
    private static let accounts = """
        CREATE TABLE users (
            id TEXT PRIMARY KEY NOT NULL,
            email TEXT NOT NULL UNIQUE,
            first_name TEXT NOT NULL,
            last_name TEXT NOT NULL,
            password_hash TEXT NOT NULL,
            password_version INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            disabled_at INTEGER,
            password_changed_at INTEGER
        ) STRICT;
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY NOT NULL,
            user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) STRICT;
        CREATE INDEX sessions_by_user ON sessions (user_id);
        CREATE INDEX sessions_by_expiry ON sessions (expires_at);
        CREATE TABLE refresh_tokens (
            id TEXT PRIMARY KEY NOT NULL,
            access_id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            issued_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            spent_at_ms INTEGER,
            successor_id TEXT
        ) STRICT;
        CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);
        CREATE TABLE revocations (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            kind INTEGER NOT NULL,
            subject TEXT NOT NULL,
            moment INTEGER,
            until INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX revocations_by_until ON revocations (until);
        """
}
