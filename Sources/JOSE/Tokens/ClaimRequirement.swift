/// A claim and the values one of which it must hold.
public struct ClaimRequirement: Sendable, Equatable {
    /// The claim's name.
    public let claim: String
    /// Its acceptable values.
    public let values: [String]

    /// A requirement.
    public init(claim: String, values: [String]) {
        self.claim = claim
        self.values = values
    }
}
