internal import GRDB
internal import Identity
internal import Policy

/// A row of the log of revocations.
enum RevocationRow {
    /// What `kind` may be; the numbers are in stores, so none changes its meaning.
    private enum Kind {
        static let session = 1
        static let token = 2
        static let userDisabled = 3
        static let userEnabled = 4
        static let tokensBefore = 5
    }

    /// A disabled user's entry counts until the user is enabled.
    static let forever = Int64.max
    /// An entry that only takes another back is kept until every process has surely seen it.
    private static let noticeSeconds: Int64 = 86_400

    static func append(_ revocation: Revocation, now: Int64, to database: Database) throws {
        switch revocation {
        case .session(let id, let until): try append(Kind.session, id, moment: nil, until, database)
        case .token(let id, let until): try append(Kind.token, id, moment: nil, until, database)
        case .userDisabled(let id, let time): try append(Kind.userDisabled, id, moment: time, forever, database)
        case .userEnabled(let id):
            try database.execute(
                sql: "DELETE FROM revocations WHERE kind = ? AND subject = ?", arguments: [Kind.userDisabled, id])
            try append(Kind.userEnabled, id, moment: nil, now + noticeSeconds, database)
        case .tokensBefore(let user, let moment, let until):
            try append(Kind.tokensBefore, user, moment: moment, until, database)
        }
    }

    private static func append(
        _ kind: Int, _ subject: String, moment: Int64?, _ until: Int64, _ database: Database
    ) throws {
        try database.execute(
            sql: "INSERT INTO revocations (kind, subject, moment, until) VALUES (?, ?, ?, ?)",
            arguments: [kind, subject, moment, until])
    }

    /// The entry of a row; nil for a kind that a newer version has added.
    static func revocation(_ row: Row) -> Revocation? {
        let subject: String = row["subject"]
        let until: Int64 = row["until"]
        let moment: Int64? = row["moment"]
        return switch row["kind"] as Int {
        case Kind.session: .session(subject, until: until)
        case Kind.token: .token(subject, until: until)
        case Kind.userDisabled: .userDisabled(subject, at: moment ?? 0)
        case Kind.userEnabled: .userEnabled(subject)
        case Kind.tokensBefore: .tokensBefore(user: subject, moment: moment ?? 0, until: until)
        default: nil
        }
    }
}
