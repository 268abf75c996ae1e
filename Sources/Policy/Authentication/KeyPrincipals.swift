/// The principals of API keys that were used lately, so that a request with such a key allocates nothing. Confined to
/// its authenticator. It says nothing about whether a key may be used: that is asked of the current `KeyTable` each
/// time, and a new table empties it.
final class KeyPrincipals {
    private struct Slot {
        var place = -1
        var principal: Principal?
        /// The epoch of the revocations that do not name its owner.
        var cleanEpoch: UInt64 = 0
    }

    /// Direct-mapped by the key's place in the table.
    private var slots: [Slot]

    init(capacity: Int) {
        var size = 16
        while size < capacity { size *= 2 }
        slots = [Slot](repeating: Slot(), count: size)
    }

    /// The principal of the key at a place of `table`.
    @inline(__always)
    func principal(at place: Int, of table: KeyTable) -> Principal {
        let slot = slot(of: place)
        if slots[slot].place == place, let principal = slots[slot].principal { return principal }
        let principal = Principal(table.record(at: place))
        slots[slot] = Slot(place: place, principal: principal)
        return principal
    }

    /// Whether the owner of the key that `principal(at:of:)` gave last was found clean in this epoch.
    @inline(__always)
    func isClean(_ place: Int, in epoch: UInt64) -> Bool { slots[slot(of: place)].cleanEpoch == epoch }

    func markClean(_ place: Int, in epoch: UInt64) { slots[slot(of: place)].cleanEpoch = epoch }

    @inline(__always)
    private func slot(of place: Int) -> Int { place & (slots.count &- 1) }

    func removeAll() {
        for slot in slots.indices { slots[slot] = Slot() }
    }
}
