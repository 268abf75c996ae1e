/// Why some bytes are not acceptable JSON.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: String, Equatable, Sendable {
        /// More bytes than the reader takes.
        case tooLarge = "too large"
        /// Arrays and objects lie too deep in one another.
        case tooDeep = "too deeply nested"
        /// Not the grammar of RFC 8259.
        case syntax = "malformed"
        /// A member's name occurs twice in one object.
        case duplicateMember = "a member occurs twice"
        /// Bytes that are not UTF-8, a lone surrogate, or U+0000.
        case text = "text that is not valid"
        /// An integer beyond 64 bits or a number beyond a double.
        case numberRange = "a number out of range"
    }

    /// What is wrong.
    public let reason: Reason
    /// Where, in bytes from the start.
    public let offset: Int

    /// Reason and place.
    public var description: String { "JSON: \(reason.rawValue) at byte \(offset)" }
}
