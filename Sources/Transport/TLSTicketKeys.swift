import COpenSSL
import Synchronization

/// The keys that seal session tickets (RFC 5077 §4), shared by all shards and kept over a reload.
///
/// They rotate every 12 hours; the previous ones still open tickets, so that a ticket lives between 12 and 24 hours.
/// Used during handshakes only, so a lock costs nothing that matters.
public final class TLSTicketKeys: Sendable {
    /// What seals one ticket: name, AES-256-CBC key, HMAC-SHA256 key.
    struct Keys: Sendable {
        let name: [UInt8]
        let cipherKey: [UInt8]
        let macKey: [UInt8]
        let made: Int64

        init(now: Int64) throws(TLSError) {
            name = try Self.random(16)
            cipherKey = try Self.random(32)
            macKey = try Self.random(32)
            made = now
        }

        private static func random(_ count: Int) throws(TLSError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else { throw TLSError.last("no random bytes") }
            return bytes
        }
    }

    /// Seconds after which a new key seals.
    static let rotationSeconds: Int64 = 12 * 3600

    private struct State {
        var current: Keys
        var previous: Keys?
    }

    private let state: Mutex<State>

    /// A first key.
    public init(now: Int64 = WallClock.seconds()) throws(TLSError) {
        state = Mutex(State(current: try Keys(now: now), previous: nil))
    }

    /// The key that seals at `now`; nil when there is none to be had.
    func sealing(now: Int64) -> Keys? {
        state.withLock { state in
            if now - state.current.made >= Self.rotationSeconds {
                guard let fresh = try? Keys(now: now) else { return nil }
                // A key that nobody sealed with for a whole period is too old to open anything.
                state.previous = now - state.current.made < 2 * Self.rotationSeconds ? state.current : nil
                state.current = fresh
            }
            return state.current
        }
    }

    /// The key named `name`, and whether it is the current one, while it may open tickets.
    func opening(name: [UInt8], now: Int64) -> (keys: Keys, isCurrent: Bool)? {
        state.withLock { state in
            if state.current.name == name {
                let age = now - state.current.made
                return age < 2 * Self.rotationSeconds ? (state.current, age < Self.rotationSeconds) : nil
            }
            guard let previous = state.previous, previous.name == name,
                now - previous.made < 2 * Self.rotationSeconds
            else { return nil }
            return (previous, false)
        }
    }
}
