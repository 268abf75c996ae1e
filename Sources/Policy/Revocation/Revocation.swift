/// Something that makes credentials invalid before their time, or takes that back. Times are seconds since 1970; `until` is
/// when the last token that is meant has expired, so that the entry may be forgotten.
public enum Revocation: Sendable, Equatable {
    /// Every token of a session, by `sid`.
    case session(String, until: Int64)
    /// One token, by `jti`.
    case token(String, until: Int64)
    /// Every token and API key of a user, until the user is enabled.
    case userDisabled(String, at: Int64)
    /// The user is no longer disabled.
    case userEnabled(String)
    /// The tokens of a user that were issued before `moment`, or do not say when.
    case tokensBefore(user: String, moment: Int64, until: Int64)
}
