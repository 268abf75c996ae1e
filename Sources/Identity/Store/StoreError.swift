/// Why the store could not do what it was asked. Whatever the kind, nothing of a refused write is left behind.
public struct StoreError: Error, Sendable, Equatable {
    /// What a caller may do about it.
    public enum Kind: Sendable {
        /// It cannot be opened, has gone away or has been replaced.
        case unavailable
        /// Another process holds the write lock for longer than the busy timeout.
        case busy
        /// The file or its file system does not accept writes.
        case readOnly
        /// The disk is full.
        case full
        /// It is not a store, is damaged, or was written by a newer version.
        case unreadable
        /// The database refused the statement.
        case failed
    }

    /// The kind of failure.
    public let kind: Kind
    /// One sentence for people: which store, what happened and, where there is one, the way out.
    public let message: String

    /// An error of this kind, described by `message`.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

extension StoreError: CustomStringConvertible {
    /// The message.
    public var description: String { message }
}
