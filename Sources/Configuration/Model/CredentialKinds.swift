/// What a route accepts.
public struct CredentialKinds: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: UInt8

    /// A set of kinds.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A JWT that a `jwt` block verifies.
    public static let jwt = CredentialKinds(rawValue: 1)
    /// An API key of the store.
    public static let apiKey = CredentialKinds(rawValue: 2)
    /// An opaque token that an `introspection` block asks about.
    public static let opaque = CredentialKinds(rawValue: 4)

    /// The words of `accept`, in a fixed order: `["jwt", "api_key", "opaque"]`.
    public var names: [String] {
        (contains(.jwt) ? ["jwt"] : []) + (contains(.apiKey) ? ["api_key"] : [])
            + (contains(.opaque) ? ["opaque"] : [])
    }
}
