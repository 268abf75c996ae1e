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
        return migrator
    }

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
}
