/// Somebody whose tokens are accepted: a `jwt` block, or the gateway itself. Its keys vouch for its tokens only.
public struct TokenIssuer: Sendable {
    /// The block's name, for messages.
    public var name: String
    /// What `iss` must be, byte for byte; nil: not checked.
    public var issuer: String?
    /// What `aud` must be or contain one of, byte for byte; empty: not checked.
    public var audience: [String]
    /// What is accepted as `alg`; what is not listed is refused.
    public var algorithms: [SignatureAlgorithm]
    /// The keys.
    public var keys: [VerificationKey]
    /// Whether the keys come from a JWK Set: a token that names a key (`kid`) must then find it by that exact name.
    public var keysAreNamed: Bool
    /// Whether the keys are fetched from elsewhere, and so may be missing or others soon.
    public var keysAreRemote: Bool
    /// The claims that may hold the user's id; the first that is present counts.
    public var userIDClaims: [String]
    /// What else the claims must hold.
    public var requirements: [ClaimRequirement]
    /// By how many seconds `exp` and `nbf` are widened.
    public var leeway: Int64

    /// An issuer.
    public init(
        name: String, issuer: String? = nil, audience: [String] = [], algorithms: [SignatureAlgorithm],
        keys: [VerificationKey], keysAreNamed: Bool = false, keysAreRemote: Bool = false,
        userIDClaims: [String] = ["user_id", "sub"],
        requirements: [ClaimRequirement] = [], leeway: Int64 = 30
    ) {
        self.name = name
        self.issuer = issuer
        self.audience = audience
        self.algorithms = algorithms
        self.keys = keys
        self.keysAreNamed = keysAreNamed
        self.keysAreRemote = keysAreRemote
        self.userIDClaims = userIDClaims
        self.requirements = requirements
        self.leeway = leeway
    }
}
