internal import Foundation
public import Identity
public import JOSE
internal import Policy

/// One-time tickets: a row each until it is used. There are few at a time, so they are counted when one more comes.
extension PostgresStore {
    /// Keeps a ticket; says how long until there is room when there are too many.
    public func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> Int64? {
        try write { connection throws(PostgresFailure) in
            let holder = Self.text(ticket.holder.bytes)
            let sql = """
                SELECT count(*) FILTER (WHERE holder = decode($1, 'base64')), count(*),
                    min(ends_at_ms) FILTER (WHERE holder = decode($1, 'base64')), min(ends_at_ms)
                FROM gatehouse.tickets WHERE ends_at_ms > $2::bigint
                """
            let row = try connection.query(sql, [holder, "\(nowMilliseconds)"]).first
            let (own, all) = (try row?.integer(0) ?? 0, try row?.integer(1) ?? 0)
            if own >= Ticket.perUser { return (try row?.integer(2) ?? nowMilliseconds) - nowMilliseconds }
            if all >= Ticket.ticketsAtMost { return (try row?.integer(3) ?? nowMilliseconds) - nowMilliseconds }
            try connection.query(
                """
                INSERT INTO gatehouse.tickets (digest, holder, sealed, ends_at_ms)
                VALUES (decode($1, 'base64'), decode($2, 'base64'), decode($3, 'base64'), $4::bigint)
                """,
                [Self.text(ticket.digest.bytes), holder, Self.text(ticket.sealed), "\(ticket.endsAtMilliseconds)"])
            return nil
        }
    }

    /// What was sealed for a ticket, which is gone then: of several who ask at once, one has the row.
    public func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> [UInt8]? {
        try write { connection throws(PostgresFailure) in
            let sql = """
                DELETE FROM gatehouse.tickets WHERE digest = decode($1, 'base64')
                RETURNING encode(sealed, 'base64'), ends_at_ms
                """
            guard let row = try connection.query(sql, [Self.text(digest.bytes)]).first,
                try row.known(row.integer(1)) > nowMilliseconds, let text = row.text(0)
            else { return nil }
            return Data(base64Encoded: text, options: .ignoreUnknownCharacters).map { [UInt8]($0) }
        }
    }

    private static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
}
