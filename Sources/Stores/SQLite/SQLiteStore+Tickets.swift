internal import Foundation
internal import GRDB
public import Identity
public import JOSE
internal import Policy

/// One-time tickets: a row each until it is used, or its time is over.
extension SQLiteStore {
    /// Keeps a ticket, unless there are too many.
    public func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> TicketKeeping {
        try write { database in
            try database.execute(sql: "DELETE FROM tickets WHERE ends_at_ms <= ?", arguments: [nowMilliseconds])
            let holder = Data(ticket.holder.bytes)
            let own = try Row.fetchOne(
                database, sql: "SELECT count(*) AS count, min(ends_at_ms) AS first FROM tickets WHERE holder = ?",
                arguments: [holder])
            if let own, own["count"] >= Ticket.perUser { return .holderIsFull(until: own["first"]) }
            let all = try Row.fetchOne(
                database, sql: "SELECT count(*) AS count, min(ends_at_ms) AS first FROM tickets")
            if let all, all["count"] >= Ticket.ticketsAtMost { return .full(until: all["first"]) }
            try database.execute(
                sql: "INSERT INTO tickets (digest, holder, sealed, ends_at_ms) VALUES (?, ?, ?, ?)",
                arguments: [Data(ticket.digest.bytes), holder, Data(ticket.sealed), ticket.end])
            return .kept
        }
    }

    /// A ticket, which is gone then.
    public func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> StoredTicket? {
        try write { database in
            let row = try Row.fetchOne(
                database, sql: "DELETE FROM tickets WHERE digest = ? RETURNING holder, sealed, ends_at_ms",
                arguments: [Data(digest.bytes)])
            guard let row, let holder = Digest256([UInt8](row["holder"] as Data).span) else { return nil }
            let ticket = StoredTicket(
                digest: digest, holder: holder, sealed: [UInt8](row["sealed"] as Data), end: row["ends_at_ms"])
            return ticket.end > nowMilliseconds ? ticket : nil
        }
    }
}
