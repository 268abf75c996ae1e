/// The principals of API keys that were used lately, so that a request with such a key allocates nothing. Confined to
/// its authenticator. It says nothing about whether a key may be used: that is asked of the current `KeyTable` each
/// time, and a new table empties it.
final class KeyPrincipals {
    private struct Slot {
        var place = -1
        var principal: Principal?
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
        let slot = place & (slots.count &- 1)
        if slots[slot].place == place, let principal = slots[slot].principal { return principal }
        let principal = Principal(table.record(at: place))
        slots[slot] = Slot(place: place, principal: principal)
        return principal
    }

    func removeAll() {
        for slot in slots.indices { slots[slot] = Slot() }
    }
}
