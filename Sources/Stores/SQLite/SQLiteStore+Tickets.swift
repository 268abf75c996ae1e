internal import Foundation
internal import GRDB
public import Identity
public import JOSE
internal import Policy

/// One-time tickets: a row each until it is used. There are few at a time, so they are counted when one more comes.
extension SQLiteStore {
    /// Keeps a ticket; says how long until there is room when there are too many.
    public func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> Int64? {
        try write { database in
            let holder = Data(ticket.holder.bytes)
            let row = try Row.fetchOne(
                database,
                sql: """
                    SELECT count(*) FILTER (WHERE holder = ?1) AS own, count(*) AS others,
                        min(ends_at_ms) FILTER (WHERE holder = ?1) AS own_end, min(ends_at_ms) AS first_end
                    FROM tickets WHERE ends_at_ms > ?2
                    """, arguments: [holder, nowMilliseconds])
            let (own, all): (Int, Int) = (row?["own"] ?? 0, row?["others"] ?? 0)
            if own >= Ticket.perUser { return (row?["own_end"] ?? nowMilliseconds) - nowMilliseconds }
            if all >= Ticket.ticketsAtMost { return (row?["first_end"] ?? nowMilliseconds) - nowMilliseconds }
            try database.execute(
                sql: "INSERT INTO tickets (digest, holder, sealed, ends_at_ms) VALUES (?, ?, ?, ?)",
                arguments: [
                    Data(ticket.digest.bytes), holder, Data(ticket.sealed), ticket.endsAtMilliseconds,
                ])
            return nil
        }
    }

    /// What was sealed for a ticket, which is gone then.
    public func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> [UInt8]? {
        try write { database in
            let row = try Row.fetchOne(
                database, sql: "DELETE FROM tickets WHERE digest = ? RETURNING sealed, ends_at_ms",
                arguments: [Data(digest.bytes)])
            guard let row, row["ends_at_ms"] > nowMilliseconds else { return nil }
            let sealed: Data = row["sealed"]
            return [UInt8](sealed)
        }
    }
}
