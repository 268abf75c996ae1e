/// Why an operation on API keys was not carried out. No case carries a key, only ids.
public enum KeyServiceError: Error, Sendable, Equatable {
    /// A value that cannot be accepted; `field` is its name in the contract.
    case invalid(field: String, reason: String)
    /// No key has this id, or it belongs to another agent than the one asked for.
    case unknownKey(id: String)
    /// The key is dead, so that it cannot be rotated.
    case revoked(id: String, at: Int64)
    /// The key expired, so that it cannot be rotated.
    case expired(id: String, at: Int64)
    /// The key was rotated before and lives on until then.
    case rotated(id: String, until: Int64)
    /// The store could not carry it out; nothing was changed.
    case store(StoreError)
}
