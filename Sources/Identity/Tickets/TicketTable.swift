internal import Dispatch
internal import JOSE
internal import Transport

/// One-time tickets that stand for an access token where a browser cannot set headers: WebSocket, EventSource.
///
/// Confined to a queue of its own. Kept in memory only, so a ticket is good in the process that gave it. Bounds:
/// `ticketsAtMost` and `bytesAtMost` in all, `perUser` for each user, so that nobody pushes others' out.
public final class TicketTable: @unchecked Sendable {
    /// Seconds that a ticket is good for.
    public static let lifetime: Int64 = 30
    /// Tickets at a time.
    static let ticketsAtMost = 65_536
    /// Bytes of the tokens that they stand for.
    static let bytesAtMost = 64 << 20
    /// Tickets of one user at a time.
    static let perUser = 64

    /// What became of a wish for a ticket.
    public enum Issue: Equatable, Sendable {
        /// The ticket.
        case issued(String)
        /// There are too many; one of them is gone after so many seconds.
        case full(retryAfter: Int)
    }

    private struct Entry {
        let token: [UInt8]
        let userID: String
        let until: MonotonicTime
    }

    private let queue = DispatchQueue(label: "gatehouse.tickets", qos: .userInitiated)
    private let now: @Sendable () -> MonotonicTime
    /// By SHA-256: how long a look-up takes tells nothing of the tickets there are.
    private var entries: [Digest256: Entry] = [:]
    private var counts: [String: Int] = [:]
    private var bytes = 0
    /// In the order of their ends.
    private var order: [Digest256] = []
    private var first = 0
    private let sha256 = SHA256()

    /// An empty table with a clock.
    init(now: @escaping @Sendable () -> MonotonicTime = { .now() }) { self.now = now }

    /// A new ticket for a token.
    public func issue(token: [UInt8], userID: String, reply: @escaping @Sendable (Issue) -> Void) {
        queue.async { [self] in
            forgetAged()
            guard counts[userID, default: 0] < Self.perUser else {
                return reply(.full(retryAfter: secondsUntilRoom { $0.userID == userID }))
            }
            guard entries.count < Self.ticketsAtMost, bytes + token.count <= Self.bytesAtMost else {
                return reply(.full(retryAfter: secondsUntilRoom { _ in true }))
            }
            let ticket = Base64URL.encode(RandomBytes.make(32))
            let digest = sha256.hash(ticket.utf8.span)
            entries[digest] = Entry(
                token: token, userID: userID,
                until: now().advanced(byNanoseconds: Self.lifetime * 1_000_000_000))
            counts[userID, default: 0] += 1
            bytes += token.count
            order.append(digest)
            reply(.issued(ticket))
        }
    }

    /// The token that a ticket stands for, once; nil when it is unknown, spent or aged.
    public func spend(_ ticket: [UInt8], reply: @escaping @Sendable ([UInt8]?) -> Void) {
        queue.async { [self] in
            forgetAged()
            reply(remove(sha256.hash(ticket.span))?.token)
        }
    }

    private func remove(_ digest: Digest256) -> Entry? {
        guard let entry = entries.removeValue(forKey: digest) else { return nil }
        let left = counts[entry.userID, default: 1] - 1
        counts[entry.userID] = left > 0 ? left : nil
        bytes -= entry.token.count
        return entry
    }

    /// How long until the oldest of those that match is gone, in whole seconds and at least one.
    private func secondsUntilRoom(_ matches: (Entry) -> Bool) -> Int {
        for index in first..<order.count {
            guard let entry = entries[order[index]], matches(entry) else { continue }
            return max(Int((entry.until.nanoseconds(since: now()) + 999_999_999) / 1_000_000_000), 1)
        }
        return Int(Self.lifetime)
    }

    private func forgetAged() {
        let now = now()
        while first < order.count {
            if let entry = entries[order[first]], entry.until > now { break }
            _ = remove(order[first])
            first += 1
        }
        if first > 1024, first > order.count / 2 {
            order.removeFirst(first)
            first = 0
        }
    }
}
