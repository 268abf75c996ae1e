internal import Foundation
public import Identity
public import JOSE
internal import Policy

/// One-time tickets: a row each until it is used, or its time is over. Each question is one statement, so that a database far away costs
/// one way there and back; one that is asked twice, because its connection broke, finds the ticket gone.
extension PostgresStore {
    /// Rows whose time is over that go with each that comes.
    private static let forgottenAtOnce = 16

    /// Keeps a ticket, unless there are too many.
    public func keep(_ ticket: StoredTicket, nowMilliseconds: Int64) throws(StoreError) -> TicketKeeping {
        let sql = """
            WITH gone AS (
                DELETE FROM gatehouse.tickets WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM gatehouse.tickets WHERE ends_at_ms <= $5::bigint LIMIT \(Self.forgottenAtOnce)
                    FOR UPDATE SKIP LOCKED))
            ), own AS (
                SELECT count(*) AS count, min(ends_at_ms) AS first FROM gatehouse.tickets
                WHERE holder = decode($2, 'base64') AND ends_at_ms > $5::bigint
            ), everyone AS (
                SELECT count(*) AS count, min(ends_at_ms) AS first FROM gatehouse.tickets WHERE ends_at_ms > $5::bigint
            ), kept AS (
                INSERT INTO gatehouse.tickets (digest, holder, sealed, ends_at_ms)
                SELECT decode($1, 'base64'), decode($2, 'base64'), decode($3, 'base64'), $4::bigint FROM own, everyone
                WHERE own.count < \(Ticket.perUser) AND everyone.count < \(Ticket.ticketsAtMost)
                RETURNING 1
            )
            SELECT EXISTS (SELECT 1 FROM kept), own.count, own.first, everyone.first FROM own, everyone
            """
        let values = [
            Self.text(ticket.digest.bytes), Self.text(ticket.holder.bytes), Self.text(ticket.sealed), "\(ticket.end)",
            "\(nowMilliseconds)",
        ]
        return try read { connection throws(PostgresFailure) in
            guard let row = try connection.query(sql, values).first else { throw PostgresRow.unreadable }
            if row.isTrue(0) { return .kept }
            if try row.known(row.integer(1)) >= Ticket.perUser {
                return .holderIsFull(until: try row.known(row.integer(2)))
            }
            return .full(until: try row.known(row.integer(3)))
        }
    }

    /// A ticket, which is gone then: of several who ask at once, one has the row.
    public func takeTicket(_ digest: Digest256, nowMilliseconds: Int64) throws(StoreError) -> StoredTicket? {
        let sql = """
            DELETE FROM gatehouse.tickets WHERE digest = decode($1, 'base64')
            RETURNING encode(holder, 'base64'), encode(sealed, 'base64'), ends_at_ms
            """
        return try read { connection throws(PostgresFailure) in
            guard let row = try connection.query(sql, [Self.text(digest.bytes)]).first else {
                try PostgresSchema.requireWhole(connection)
                return nil
            }
            guard let holder = Self.bytes(row.text(0)).flatMap({ Digest256($0.span) }),
                let sealed = Self.bytes(row.text(1))
            else { throw PostgresRow.unreadable }
            let end = try row.known(row.integer(2))
            return end > nowMilliseconds ? StoredTicket(digest: digest, holder: holder, sealed: sealed, end: end) : nil
        }
    }

    private static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    private static func bytes(_ text: String?) -> [UInt8]? {
        text.flatMap { Data(base64Encoded: $0, options: .ignoreUnknownCharacters) }.map { [UInt8]($0) }
    }
}
