/// A person who logs in.
public struct User: Sendable, Equatable {
    /// A UUID, or what an imported table had: 1 to 256 visible ASCII bytes. It is `sub` and `user_id` of the tokens.
    public var id: String
    /// In the form of `EmailAddress.normalized`; no two users have the same.
    public var email: String
    /// Shown to people; may be empty.
    public var firstName: String
    /// Shown to people; may be empty.
    public var lastName: String
    /// Unix seconds.
    public var createdAt: Int64
    /// Unix seconds since when the user may neither log in nor use what was issued; `nil`: the user may.
    public var disabledAt: Int64?
    /// Unix seconds of the last change of the password; tokens issued before are dead. `nil`: never changed.
    public var passwordChangedAt: Int64?

    /// A user.
    public init(
        id: String, email: String, firstName: String, lastName: String, createdAt: Int64, disabledAt: Int64? = nil,
        passwordChangedAt: Int64? = nil
    ) {
        self.id = id
        self.email = email
        self.firstName = firstName
        self.lastName = lastName
        self.createdAt = createdAt
        self.disabledAt = disabledAt
        self.passwordChangedAt = passwordChangedAt
    }
}

/// A user and the hash of the password, as the store keeps them.
public struct StoredUser: Sendable, Equatable {
    /// The person.
    public var user: User
    /// The text of a `PasswordHash`. Not for logs or answers.
    public var passwordHash: String
    /// Rises with each change of the password, not when the same password gets a stronger hash.
    public var passwordVersion: Int64

    /// A stored user.
    public init(user: User, passwordHash: String, passwordVersion: Int64 = 0) {
        self.user = user
        self.passwordHash = passwordHash
        self.passwordVersion = passwordVersion
    }
}
