internal import Identity

/// What went wrong between here and a PostgreSQL server.
struct PostgresFailure: Error {
    /// SQLSTATE, where the server has judged (PostgreSQL, appendix A).
    let state: String?
    /// For people, on one line; names what the server names, never a value.
    let reason: String
    /// The connection is of no more use.
    let isLost: Bool

    init(_ reason: String, state: String? = nil, isLost: Bool = false) {
        self.reason = reason
        self.state = state
        self.isLost = isLost
    }

    /// Two transactions stood in each other's way, and this one would do well to begin anew.
    var isWorthAnotherTry: Bool { state == "40001" || state == "40P01" }

    private var kind: StoreError.Kind {
        guard let state else { return isLost ? .unavailable : .failed }
        switch state {
        case "53100": return .full
        case "25006": return .readOnly
        case "55P03", "57014", "40001", "40P01": return .busy
        // No such table or schema, no privilege, bytes that cannot be read.
        case "42P01", "42P07", "3F000", "42501", "XX001", "XX002": return .unreadable
        default:
            let isAway = ["08", "53", "57", "58", "28", "3D"].contains(String(state.prefix(2)))
            return isLost || isAway ? .unavailable : .failed
        }
    }

    /// The same for those who use the store called `name`.
    func error(_ name: String) -> StoreError {
        let message: String =
            switch kind {
            case .full: "the server's disk is full"
            case .readOnly: "the server does not accept writes: a standby, or set to read only (\(reason))"
            case .busy: "other transactions were in the way for too long (\(reason))"
            case .unreadable where state == "42501":
                "the role may not do what is needed; it has to own the schema 'gatehouse' and its tables, or be allowed to create it (\(reason))"
            case .unreadable where state == "42P07":
                "the schema 'gatehouse' is half made: restore it, or drop it (\(reason))"
            case _ where reason.contains("certificate verify failed"):
                "\(reason); sslrootcert=FILE names the authority that is trusted"
            default: reason
            }
        return StoreError(kind, "store \(name): \(message)")
    }
}
