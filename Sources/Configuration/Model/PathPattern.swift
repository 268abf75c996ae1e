/// The path of a route, in the one form that requests are normalised to (RFC 3986 §6.2.2).
///
/// Invariant: literals are in normal form and non-empty, parameter names are distinct words.
public struct PathPattern: Sendable, Hashable {
    /// What stands between two slashes.
    public enum Segment: Sendable, Hashable {
        /// These bytes exactly.
        case literal(String)
        /// One non-empty segment, under this name.
        case parameter(String)
    }

    /// The segments, without the empty one that a final slash makes; none for `/`.
    public let segments: [Segment]
    /// Ends in `/`: covers that path, with or without the slash, and all below it. Else exactly that path.
    public let isPrefix: Bool
    /// As written.
    public let text: String

    /// What is wrong with a pattern, and the way out.
    public struct Problem: Error, Equatable, Sendable {
        /// What is wrong.
        public let message: String
        /// The way out.
        public let suggestion: String?
    }

    /// Reads a pattern.
    public init(_ text: String) throws(Problem) {
        guard text.hasPrefix("/") else {
            throw Problem(message: "path pattern '\(text)' does not start with '/'", suggestion: "write '/\(text)'")
        }
        if let normal = PathText.normalForm(of: text), normal != text {
            throw Problem(
                message: "path pattern '\(text)' is not in the form that requests are matched in",
                suggestion: "write '\(normal)'")
        }
        var parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        isPrefix = parts.last?.isEmpty == true
        if isPrefix { parts.removeLast() }
        var segments: [Segment] = []
        for part in parts { segments.append(try Self.segment(part, seen: segments)) }
        self.segments = segments
        self.text = text
    }

    private static func segment(_ part: String, seen: [Segment]) throws(Problem) -> Segment {
        guard part.contains("{") || part.contains("}") else {
            if let reason = PathText.objection(to: part) { throw Problem(message: reason, suggestion: nil) }
            return .literal(part)
        }
        let name = String(part.dropFirst().dropLast())
        guard part.hasPrefix("{"), part.hasSuffix("}"), PathText.isParameterName(name) else {
            throw Problem(
                message: "'\(part)' is no segment: a parameter is a whole one",
                suggestion: "write '{name}' with letters, digits and '_' between two slashes")
        }
        if seen.contains(.parameter(name)) {
            throw Problem(message: "parameter '{\(name)}' twice in a pattern", suggestion: "give each its own name")
        }
        return .parameter(name)
    }

    /// The parameters' names, in order.
    public var parameters: [String] {
        segments.compactMap { segment in
            if case .parameter(let name) = segment { name } else { nil }
        }
    }

    /// The pattern without its parameters' names: two that are equal in this cover the same paths.
    public var shape: String {
        let parts = segments.map { segment in
            if case .literal(let text) = segment { text } else { "{}" }
        }
        return "/" + parts.joined(separator: "/") + (isPrefix && !parts.isEmpty ? "/" : "")
    }
}
