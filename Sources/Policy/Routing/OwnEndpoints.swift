public import Configuration
internal import JOSE

/// The paths that are not routes: login and its like, the management of API keys, the keys page. Immutable.
///
/// They are looked at before the routes, on the normalised path, each with and without its final slash. None below them is
/// taken from the routes.
public struct OwnEndpoints: Sendable {
    private enum Kind {
        case login, refresh, logout, ticket, introspection, revocation, keys, key, rotation, jwks, resource
        case console(OwnEndpoint.ConsoleAsset)
    }

    private struct Template: Sendable {
        let kind: Kind
        let segments: [PathPattern.Segment]
        /// The bytes before the first parameter: most requests are told apart by them.
        let start: [UInt8]

        init(_ kind: Kind, _ segments: [PathPattern.Segment]) {
            self.kind = kind
            self.segments = segments
            var start = ""
            for case .literal(let text) in segments.prefix(while: { if case .literal = $0 { true } else { false } }) {
                start += "/" + text
            }
            self.start = Array(start.utf8)
        }
    }

    private let templates: [Template]

    /// Those that a configuration has.
    public init(_ configuration: Configuration) {
        var templates: [Template] = []
        func add(_ kind: Kind, _ base: PathPattern, _ further: PathPattern.Segment...) {
            templates.append(Template(kind, base.segments + further))
        }
        if let identity = configuration.identity {
            add(.login, identity.prefix, .literal("login"))
            add(.refresh, identity.prefix, .literal("token"), .literal("refresh"))
            add(.logout, identity.prefix, .literal("logout"))
            add(.ticket, identity.prefix, .literal("ticket"))
            if !identity.clients.isEmpty {
                add(.introspection, identity.prefix, .literal("introspect"))
                add(.revocation, identity.prefix, .literal("revoke"))
            }
            if identity.signing.contains(where: { $0.publicJWK != nil }) {
                let segments = [PathPattern.Segment.literal(".well-known"), .literal("jwks.json")]
                templates.append(Template(.jwks, segments))
            }
        }
        if let resource = configuration.resource {
            let names = resource.metadataPath.split(separator: "/").map { PathPattern.Segment.literal(String($0)) }
            // Clients that know nothing of the identifier's path look at the well-known place itself.
            for count in Set([2, names.count]) { templates.append(Template(.resource, Array(names.prefix(count)))) }
        }
        if let endpoints = configuration.keyEndpoints {
            add(.keys, endpoints.pattern)
            add(.key, endpoints.pattern, .parameter("key_id"))
            add(.rotation, endpoints.pattern, .parameter("key_id"), .literal("rotate"))
        }
        if let console = configuration.console {
            add(.console(.page), console)
            add(.console(.script), console, .literal("console.js"))
            add(.console(.style), console, .literal("console.css"))
        }
        self.templates = templates
    }

    /// An endpoint as operators see it.
    public struct Row: Sendable {
        /// `GET, HEAD`
        public let methods: String
        /// The path, with its parameters in braces and a final slash, which may be left out.
        public let pattern: String
        /// Whether nobody has to say who he is.
        public let isPublic: Bool
        /// What it is for.
        public let name: String
    }

    /// Every endpoint, for operators.
    public var rows: [Row] {
        templates.map { template in
            let endpoint = Self.endpoint(template.kind, (agent: 0..<0, id: 0..<0))
            let path = template.segments.map { segment in
                switch segment {
                case .literal(let text): text
                case .parameter(let name): "{\(name)}"
                }
            }
            let text = "/" + path.joined(separator: "/")
            return Row(
                methods: endpoint.allowedMethods, pattern: text.hasSuffix(".json") ? text : text + "/",
                isPublic: endpoint.isPublic, name: endpoint.name)
        }
    }

    /// The endpoint at a normalised path.
    public func match(_ path: Span<UInt8>) -> OwnEndpoint? {
        for template in templates where ByteWords.hasPrefix(path, template.start) {
            var places = (agent: 0..<0, id: 0..<0)
            if Self.matches(template.segments, path, &places) { return Self.endpoint(template.kind, places) }
        }
        return nil
    }

    private static func endpoint(_ kind: Kind, _ places: (agent: Range<Int>, id: Range<Int>)) -> OwnEndpoint {
        switch kind {
        case .login: .login
        case .refresh: .refresh
        case .logout: .logout
        case .ticket: .ticket
        case .introspection: .introspection
        case .revocation: .revocation
        case .keys: .keys(agent: places.agent)
        case .key: .key(agent: places.agent, id: places.id)
        case .rotation: .rotation(agent: places.agent, id: places.id)
        case .jwks: .jwks
        case .resource: .resource
        case .console(let asset): .console(asset)
        }
    }

    private static func matches(
        _ segments: [PathPattern.Segment], _ path: Span<UInt8>, _ places: inout (agent: Range<Int>, id: Range<Int>)
    ) -> Bool {
        var place = 0
        for segment in segments {
            guard place < path.count, path[place] == UInt8(ascii: "/") else { return false }
            let start = place + 1
            place = start
            while place < path.count, path[place] != UInt8(ascii: "/") { place += 1 }
            switch segment {
            case .literal(let text):
                let literal = text.utf8.span
                guard literal.count == place - start else { return false }
                for index in 0..<literal.count where literal[index] != path[start + index] { return false }
            case .parameter(let name):
                guard place > start else { return false }
                if name == "agent_id" { places.agent = start..<place } else { places.id = start..<place }
            }
        }
        return place == path.count || (place == path.count - 1 && path[place] == UInt8(ascii: "/"))
    }
}
