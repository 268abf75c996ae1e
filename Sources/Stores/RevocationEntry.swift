internal import Policy

/// A revocation as stores keep it in a row of their log.
struct RevocationEntry {
    /// What `kind` may be; the numbers are in stores, so none changes its meaning.
    static let session = 1
    static let token = 2
    static let userDisabled = 3
    static let userEnabled = 4
    static let tokensBefore = 5

    /// A disabled user's entry counts until the user is enabled.
    private static let forever = Int64.max
    /// An entry that only takes another back is kept until every process has surely seen it.
    private static let noticeSeconds: Int64 = 86_400

    let kind: Int
    let subject: String
    let moment: Int64?
    let until: Int64

    init(kind: Int, subject: String, moment: Int64?, until: Int64) {
        self.kind = kind
        self.subject = subject
        self.moment = moment
        self.until = until
    }

    init(_ revocation: Revocation, now: Int64) {
        switch revocation {
        case .session(let id, let until): self.init(kind: Self.session, subject: id, moment: nil, until: until)
        case .token(let id, let until): self.init(kind: Self.token, subject: id, moment: nil, until: until)
        case .userDisabled(let id, let time):
            self.init(kind: Self.userDisabled, subject: id, moment: time, until: Self.forever)
        case .userEnabled(let id):
            self.init(kind: Self.userEnabled, subject: id, moment: nil, until: now + Self.noticeSeconds)
        case .tokensBefore(let user, let moment, let until):
            self.init(kind: Self.tokensBefore, subject: user, moment: moment, until: until)
        }
    }

    /// Nil for a kind that a newer version has added.
    var revocation: Revocation? {
        switch kind {
        case Self.session: .session(subject, until: until)
        case Self.token: .token(subject, until: until)
        case Self.userDisabled: .userDisabled(subject, at: moment ?? 0)
        case Self.userEnabled: .userEnabled(subject)
        case Self.tokensBefore: .tokensBefore(user: subject, moment: moment ?? 0, until: until)
        default: nil
        }
    }
}
