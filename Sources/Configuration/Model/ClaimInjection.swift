/// A claim that the upstream gets as a request header (`inject NAME claim CLAIM`).
public struct ClaimInjection: Sendable, Equatable {
    /// Bytes of a value at most; a longer one is left out.
    public static let valueAtMost = 1_024

    /// The header's name, as the file writes it.
    public let name: String
    /// The claim.
    public let claim: String

    /// An injection.
    public init(name: String, claim: String) {
        self.name = name
        self.claim = claim
    }
}
