/// Where keys, and later users and sessions, are kept.
public enum StoreLocation: Sendable, Hashable {
    /// A SQLite file; the path is resolved against the folder of the configuration file that names it.
    case sqlite(path: String)
    /// A PostgreSQL database, for more than one gateway.
    case postgres(PostgresLocation)
}
