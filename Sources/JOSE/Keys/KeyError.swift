/// Why a key cannot be used, as a sentence for people. It never holds key material.
public struct KeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let message: String

    /// An error with this sentence.
    public init(_ message: String) { self.message = message }

    /// The sentence.
    public var description: String { message }
}
