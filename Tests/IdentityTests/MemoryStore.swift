import Identity
import Policy
import Synchronization

/// A store in memory whose failures a test can order.
final class MemoryStore: Store {
    private struct State {
        var keys: [StoredKey] = []
        var counter: Int64 = 1
        var failure: StoreError?
        var loads = 0
        var revocations: [Revocation] = []
        var changed: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var failure: StoreError? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    var loads: Int { state.withLock { $0.loads } }

    private func access<T: Sendable>(changing: Bool = false, _ body: (inout [StoredKey]) -> T) throws(StoreError) -> T {
        try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            if changing { state.counter += 1 }
            return body(&state.keys)
        }
    }

    func keys(after counter: Int64) throws(StoreError) -> KeyChanges {
        state.withLock { $0.loads += 1 }
        let records = try access { $0.map(\.record) }
        return KeyChanges(counter: try changeCounter(), records: records, isWhole: true)
    }

    func storedKeys(ofAgent agentID: String?) throws(StoreError) -> [StoredKey] {
        try access { $0.filter { agentID == nil || $0.record.agentID == agentID } }
    }

    func key(id: String) throws(StoreError) -> StoredKey? { try access { $0.first { $0.record.id == id } } }

    func create(_ key: KeyRecord) throws(StoreError) {
        try access(changing: true) { $0.append(StoredKey(record: key, lastUsedAt: nil)) }
    }

    func rotate(id: String, to successor: KeyRecord, graceUntil: Int64?, now: Int64) throws(StoreError) -> Bool {
        try access(changing: true) { keys in
            guard let index = keys.firstIndex(where: { $0.record.id == id }), keys[index].record.revokedAt == nil,
                keys[index].record.graceUntil == nil
            else { return false }
            keys[index] = keys[index].ending(revokedAt: graceUntil == nil ? now : nil, graceUntil: graceUntil)
            keys.append(StoredKey(record: successor, lastUsedAt: nil))
            return true
        }
    }

    func revoke(id: String, at time: Int64) throws(StoreError) -> Bool {
        try access(changing: true) { keys in
            guard let index = keys.firstIndex(where: { $0.record.id == id }) else { return false }
            let record = keys[index].record
            keys[index] = keys[index].ending(revokedAt: record.revokedAt ?? time, graceUntil: record.graceUntil)
            return true
        }
    }

    func record(uses: [KeyUse]) throws(StoreError) { try access { _ in } }

    func usages(scope: String, subjects: [String]?, now: Int64) throws(StoreError) -> [Usage] { try access { _ in [] } }

    func changeCounter() throws(StoreError) -> Int64 {
        try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            return state.counter
        }
    }

    func revocations(after sequence: Int64, now: Int64) throws(StoreError) -> RevocationLog {
        try state.withLock { state throws(StoreError) in
            if let failure = state.failure { throw failure }
            let place = max(Int(sequence), 0)
            return RevocationLog(
                sequence: Int64(state.revocations.count), entries: Array(state.revocations[place...]),
                isWhole: sequence < 0)
        }
    }

    func revoke(_ revocation: Revocation) { state.withLock { $0.revocations.append(revocation) } }

    func watch(_ changed: @escaping @Sendable () -> Void) { state.withLock { $0.changed = changed } }

    /// Adds a key behind the back of a failure.
    func force(_ key: KeyRecord) {
        state.withLock { state in
            state.counter += 1
            state.keys.append(StoredKey(record: key, lastUsedAt: nil))
        }
    }

    /// Says that something has changed.
    func hint() { state.withLock { $0.changed }?() }

    func usable() throws(StoreError) { try access { _ in } }
}

extension StoredKey {
    fileprivate func ending(revokedAt: Int64?, graceUntil: Int64?) -> StoredKey {
        let record = KeyRecord(
            id: record.id, agentID: record.agentID, ownerID: record.ownerID, name: record.name, prefix: record.prefix,
            createdAt: record.createdAt, expiresAt: record.expiresAt, revokedAt: revokedAt, graceUntil: graceUntil,
            digest: record.digest)
        return StoredKey(record: record, lastUsedAt: lastUsedAt)
    }
}
