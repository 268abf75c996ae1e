public import Policy

/// Where identity lives beyond the process: shared by the gateway, the command line and other processes on the same store.
///
/// Calls block, so they are made on queues other than the shards'. A write that returned is durable; a write that threw
/// changed nothing.
public protocol Store: Sendable {
    /// The keys that changed behind `counter`, dead ones too: a revoked key is answered differently from one that never was. Every key for
    /// -1, and where that is the only way to tell what is no longer there.
    func keys(after counter: Int64) throws(StoreError) -> KeyChanges

    /// The keys of one agent, or of all, oldest first.
    func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey]

    /// The key with this id.
    func key(id: String) throws(StoreError) -> StoredKey?

    /// Adds a key.
    func create(_ key: KeyRecord) throws(StoreError)

    /// Adds `successor` and ends the key `id` in the same transaction: at `graceUntil`, or at once, as of `now`, when that is
    /// `nil`. False, and nothing is changed, unless the key `id` is there, not revoked and not rotated before.
    func rotate(id: String, to successor: KeyRecord, graceUntil: Int64?, now: Int64) throws(StoreError) -> Bool

    /// Revokes the key as of `time` unless it was revoked before. False when there is no such key.
    func revoke(id: String, at time: Int64) throws(StoreError) -> Bool

    /// Notes when keys were used; never moves a time backwards, and does not count as a change.
    func record(uses: [KeyUse]) throws(StoreError)

    /// What was counted for subjects of a scope, nil: for all, in the periods of `now`: those that end behind it.
    func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage]

    /// A higher number after every change of a key, whichever process made it. Cheap enough to be asked many times a second.
    func changeCounter() throws(StoreError) -> Int64

    /// What was revoked behind the place `sequence` of the log and still counts at `now`; -1: everything.
    func revocations(after sequence: Int64, now: Int64) throws(StoreError) -> RevocationLog

    /// Throws unless the store can be read and written now.
    func usable() throws(StoreError)

    /// Calls `changed` soon after any process has changed something, where the store can tell; a hint that may be missed, from a queue of
    /// the store's own. Called once.
    func watch(_ changed: @escaping @Sendable () -> Void)
}

extension Store {
    /// Every key.
    public func keys() throws(StoreError) -> [KeyRecord] { try keys(after: -1).records }

    /// Tells nothing.
    public func watch(_ changed: @escaping @Sendable () -> Void) {}
}
