/// What a store knows of a refresh token that was presented, with its session and user.
public struct StoredToken: Sendable {
    /// What presenting it leads to, while refresh tokens are rotated (RFC 9700 §4.14.2).
    public enum Verdict: Sendable, Equatable {
        /// Its session was ended, or its user is disabled.
        case dead
        /// It is to be spent now.
        case unspent
        /// It was spent a moment ago: this successor is given again, if it is still there.
        case repeated(successorID: String)
        /// It was spent before: somebody has a copy, and its session ends.
        case reused
    }

    /// The pair that it belongs to.
    public let pair: TokenPair
    /// Whether its session was ended or its user is disabled.
    public let isDead: Bool
    /// When it was spent, in unix milliseconds.
    public let spentAtMilliseconds: Int64?
    /// The refresh token that it was spent for.
    public let successorID: String?

    /// A token as its row says.
    public init(pair: TokenPair, isDead: Bool, spentAtMilliseconds: Int64?, successorID: String?) {
        self.pair = pair
        self.isDead = isDead
        self.spentAtMilliseconds = spentAtMilliseconds
        self.successorID = successorID
    }

    /// Judges it, where a successor is given again for `overlap` milliseconds.
    public func verdict(nowMilliseconds: Int64, overlap: Int64) -> Verdict {
        if isDead { return .dead }
        guard let spentAtMilliseconds else { return .unspent }
        guard nowMilliseconds < spentAtMilliseconds + overlap, let successorID else { return .reused }
        return .repeated(successorID: successorID)
    }

    /// Judges it without rotation: one that was spent while rotation was on is dead.
    public var inspection: RefreshOutcome { isDead || spentAtMilliseconds != nil ? .dead : .unspent(pair) }
}
