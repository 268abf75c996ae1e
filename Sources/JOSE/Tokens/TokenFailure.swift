/// Why a token is refused.
public enum TokenFailure: Error, Equatable, Sendable {
    /// It is malformed, not signed by a key for it, or not meant for here. The reason is for logs and `explain`.
    case invalid(StaticString)
    /// It names a key that its issuer, of this index, has not, as far as is known: keys that are fetched may be others soon.
    /// `hasKeys` tells whether any of the issuer are known.
    case keyUnknown(issuer: Int, hasKeys: Bool)
    /// Its life ended at this time, in seconds since 1970.
    case expired(at: Int64)
    /// Its life begins at this time, in seconds since 1970.
    case notYetValid(from: Int64)
    /// Its `token_type` is another than this.
    case wrongType(expected: String)

    /// Whether both say the same.
    public static func == (one: TokenFailure, other: TokenFailure) -> Bool {
        switch (one, other) {
        case (.invalid(let one), .invalid(let other)): one.description == other.description
        case (.keyUnknown(let one, let oneHas), .keyUnknown(let other, let otherHas)):
            one == other && oneHas == otherHas
        case (.expired(let one), .expired(let other)): one == other
        case (.notYetValid(let one), .notYetValid(let other)): one == other
        case (.wrongType(let one), .wrongType(let other)): one == other
        default: false
        }
    }
}
