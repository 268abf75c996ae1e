internal import Dispatch
internal import Synchronization

/// Writes down when keys were used, behind the requests: many at once, each key at most once a minute over all shards.
/// What the store cannot take is told again at a later use.
final class KeyUseWriter: Sendable {
    private static let delay = DispatchTimeInterval.seconds(1)

    private struct State {
        var notes = KeyUseNotes()
        var pending: [KeyUse] = []
    }

    private let store: any IdentityStore
    private let queue = DispatchQueue(label: "gatehouse.key-uses", qos: .utility)
    private let state = Mutex(State())

    init(store: any IdentityStore) { self.store = store }

    func note(_ use: KeyUse) {
        let isFirst = state.withLock { state in
            guard state.notes.isNew(use.keyID, now: use.usedAt) else { return false }
            state.pending.append(use)
            return state.pending.count == 1
        }
        if isFirst { queue.asyncAfter(deadline: .now() + Self.delay) { [self] in write() } }
    }

    private func write() {
        let uses = state.withLock { state in
            defer { state.pending = [] }
            return state.pending
        }
        try? store.record(uses: uses)
    }
}
