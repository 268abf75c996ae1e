/// Which pages of other origins may use a route (`cors`), and with which headers (`cors_headers`).
public struct CrossOrigin: Sendable, Equatable {
    /// An origin, or all those of a domain below it.
    public struct Origin: Sendable, Equatable {
        /// What comes before the host: `https://`; empty where any origin is meant.
        public let scheme: String
        /// The host and its port, lower case; for a wildcard with the dot it begins with (`.example.com`).
        public let host: String
        /// Any host that ends in `host` is meant.
        public let isWildcard: Bool

        /// An origin.
        public init(scheme: String, host: String, isWildcard: Bool) {
            self.scheme = scheme
            self.host = host
            self.isWildcard = isWildcard
        }

        /// As the file writes it: `https://*.example.com`.
        public var text: String { isWildcard ? scheme.isEmpty ? "*" : "\(scheme)*\(host)" : scheme + host }

        /// Every origin.
        public static let any = Origin(scheme: "", host: "", isWildcard: true)
    }

    /// Those that may.
    public let origins: [Origin]
    /// Request headers beside `authorization` and `content-type`, lower case.
    public let headers: [String]

    /// All that a page may send beyond what browsers let every page send.
    public var allowedHeaders: [String] { ["authorization", "content-type"] + headers }

    /// A policy.
    public init(origins: [Origin], headers: [String] = []) {
        self.origins = origins
        self.headers = headers
    }
}
