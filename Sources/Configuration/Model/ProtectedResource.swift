/// What clients may learn about where to log in (`resource`, RFC 9728).
public struct ProtectedResource: Sendable, Equatable {
    /// The resource's identifier, an https URL without query and fragment, as the file writes it.
    public var identifier: String
    /// Issuers that give tokens for it, as the file writes them.
    public var authorizationServers: [String] = []
    /// Scopes that it asks for.
    public var scopes: [String] = []

    /// A resource with this identifier.
    public init(identifier: String) { self.identifier = identifier }

    private static let wellKnown = "/.well-known/oauth-protected-resource"

    /// `https://HOST` of the identifier, and its path without a final slash.
    private var parts: (origin: Substring, path: Substring) {
        let afterScheme = identifier.index(identifier.startIndex, offsetBy: "https://".count)
        let slash = identifier[afterScheme...].firstIndex(of: "/") ?? identifier.endIndex
        let path = identifier[slash...]
        return (identifier[..<slash], path.hasSuffix("/") ? path.dropLast() : path)
    }

    /// Where its metadata is, for clients (RFC 9728 §3.1: the path of the identifier comes last).
    public var metadataURL: String { "\(parts.origin)\(metadataPath)" }

    /// The path of its metadata.
    public var metadataPath: String { Self.wellKnown + parts.path }
}
