import Policy

/// What the shards know of the store: every shard begins with it, and changes are posted to each.
struct StoreContents: Sendable {
    var keys = KeyTable.empty
    var revocations = RevocationSet()
}
