public import Configuration

extension Principal {
    /// Whom a request is counted for; nil where the principal does not say: an address, and the agent of a token.
    public func subject(_ kind: LimitSubject) -> UInt64? {
        switch kind {
        case .credential: credentialHash
        case .user: userHash
        case .agent: agentID.map { SubjectHash.of($0) }
        case .address: nil
        }
    }

    /// The name of a subject in the store, where counts outlive the process.
    public func subjectName(_ kind: LimitSubject) -> String? {
        switch kind {
        case .credential: Self.credentialName(keyID: keyID, sessionID: sessionID, tokenID: tokenID, userID: userID)
        case .user: "user:\(userID)"
        case .agent: agentID.map { "agent:\($0)" }
        case .address: nil
        }
    }

    /// A token that is refreshed stays the same credential: the session is, where there is one.
    static func credentialName(keyID: String?, sessionID: String?, tokenID: String?, userID: String) -> String {
        if let keyID { return "key:\(keyID)" }
        if let sessionID { return "session:\(sessionID)" }
        if let tokenID { return "token:\(tokenID)" }
        return "user:\(userID)"
    }
}
