public import HTTP

/// Why a path is refused: what two servers could read in two ways is never guessed at. The client is at fault.
public enum PathError: Error, Equatable, Sendable, CaseIterable {
    /// Does not begin with `/`.
    case notAbsolute
    /// `#` or `?`, which end a path (RFC 3986 §3.3).
    case delimiter
    /// `\`, which some servers take for `/`.
    case backslash
    /// `%2F` or `%5C`: a slash that separates segments for one server and not for another.
    case encodedSeparator
    /// A control byte or a blank, raw, or a control byte behind an escape; `%00` among them.
    case controlByte
    /// `%` without two hex digits behind it.
    case invalidEscape
    /// A raw byte beyond ASCII: not part of a URI (RFC 3986 §2).
    case rawNonASCII
    /// Escaped bytes that are not UTF-8 (RFC 3629 §3): overlong forms, surrogates, a sequence that is cut off.
    case invalidUTF8
    /// `;` (or `%3B`) inside a dot segment: `..;` is a parent for some servers and a name for others.
    case dotSegmentParameter

    /// What a client is told.
    public var reason: StaticString {
        switch self {
        case .notAbsolute: "the path does not begin with /"
        case .delimiter: "# or ? in the path"
        case .backslash: "a backslash in the path"
        case .encodedSeparator: "an encoded slash or backslash in the path"
        case .controlByte: "a control character in the path"
        case .invalidEscape: "an invalid percent escape in the path"
        case .rawNonASCII: "a byte beyond ASCII in the path; escape it"
        case .invalidUTF8: "percent escapes in the path that are not UTF-8"
        case .dotSegmentParameter: "a ; inside a dot segment of the path"
        }
    }

    /// What a client is answered: 400 `bad_request`.
    public var refusal: Refusal { .badRequest(field: "path", reason: "\(reason)") }
}
