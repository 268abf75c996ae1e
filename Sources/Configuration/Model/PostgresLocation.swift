/// A PostgreSQL database, as its connection string names it.
public struct PostgresLocation: Sendable, Hashable {
    /// Keywords and values for libpq. One of them may be a password.
    public let settings: [String: String]
    /// For people: host, port and database, never a password.
    public let name: String

    /// A database that libpq finds by `settings`.
    public init(settings: [String: String], name: String) {
        self.settings = settings
        self.name = name
    }
}

extension PostgresLocation: CustomStringConvertible, CustomReflectable {
    /// The name, so that no password is printed by accident.
    public var description: String { name }

    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
