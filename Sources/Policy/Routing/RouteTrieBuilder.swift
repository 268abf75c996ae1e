import Configuration
import HTTP

/// Compiles routes to a `RouteTrie`.
struct RouteTrieBuilder {
    private struct Draft {
        var literals: [String: Int32] = [:]
        var parameter: Int32 = -1
        var exact: [Int] = []
        var prefix: [Int] = []
    }

    private var drafts: [Draft] = []
    private let routes: [Route]

    /// A builder; `addRoot` and `add` say which routes go where.
    init(routes: [Route]) { self.routes = routes }

    /// A new root, for the routes of one host.
    mutating func addRoot() -> Int32 {
        drafts.append(Draft())
        return Int32(drafts.count - 1)
    }

    /// Adds the route at a place of `routes` below a root.
    mutating func add(_ place: Int, below root: Int32) {
        var node = Int(root)
        for segment in routes[place].pattern.segments {
            switch segment {
            case .literal(let text): node = child(of: node, literal: text)
            case .parameter: node = parameterChild(of: node)
            }
        }
        if routes[place].pattern.isPrefix {
            drafts[node].prefix.append(place)
        } else {
            drafts[node].exact.append(place)
        }
    }

    private mutating func child(of node: Int, literal: String) -> Int {
        if let known = drafts[node].literals[literal] { return Int(known) }
        let fresh = addRoot()
        drafts[node].literals[literal] = fresh
        return Int(fresh)
    }

    private mutating func parameterChild(of node: Int) -> Int {
        if drafts[node].parameter < 0 {
            let fresh = addRoot()
            drafts[node].parameter = fresh
        }
        return Int(drafts[node].parameter)
    }

    /// Lays everything out.
    func build() -> RouteTrie {
        var trie = RouteTrie()
        var size = 16
        while size < drafts.count * 2 { size *= 2 }
        trie.edges = [RouteTrie.Edge](repeating: RouteTrie.Edge(), count: size)
        for (place, draft) in drafts.enumerated() {
            let exact = appendEntries(draft.exact, to: &trie)
            let prefix = appendEntries(draft.prefix, to: &trie)
            trie.nodes.append(
                RouteTrie.Node(
                    hasLiterals: !draft.literals.isEmpty, parameterChild: draft.parameter, exact: exact, prefix: prefix)
            )
            for (literal, child) in draft.literals {
                insert(literal, child, below: Int32(place), into: &trie)
            }
        }
        return trie
    }

    private func insert(_ literal: String, _ child: Int32, below node: Int32, into trie: inout RouteTrie) {
        let bytes = Array(literal.utf8)
        let hash = RouteTrie.hash(bytes.span, 0, bytes.count, below: node)
        let mask = trie.edges.count - 1
        var place = Int(truncatingIfNeeded: hash >> 1) & mask
        while trie.edges[place].hash != 0 { place = (place + 1) & mask }
        trie.edges[place] = RouteTrie.Edge(
            hash: hash, parent: node, child: child, start: Int32(trie.text.count), count: Int32(bytes.count))
        trie.text += bytes
    }

    /// The routes of one pattern: those that name methods before the one that takes all, and HEAD goes to the route
    /// that names it before the one that names GET.
    private func appendEntries(_ places: [Int], to trie: inout RouteTrie) -> Range<Int32> {
        let start = Int32(trie.entries.count)
        let named = places.filter { !routes[$0].methods.isEmpty }
        let headIsNamed = named.contains { routes[$0].methods.contains("HEAD") }
        for place in named + places.filter({ routes[$0].methods.isEmpty }) {
            let route = routes[place]
            var methods = methodSet(of: route, &trie)
            // RFC 9110 §9.3.2: HEAD is GET without the content, so whoever may do the one may do the other.
            if methods.contains(.get), !headIsNamed { methods.known |= MethodSet.bit(.head) }
            let agent = route.agentParameter.flatMap { route.pattern.parameters.firstIndex(of: $0) } ?? -1
            trie.entries.append(
                RouteTrie.Entry(methods: methods, route: Int32(route.index), agentParameter: Int32(agent)))
        }
        return start..<Int32(trie.entries.count)
    }

    private func methodSet(of route: Route, _ trie: inout RouteTrie) -> MethodSet {
        var set = MethodSet()
        set.isAny = route.methods.isEmpty
        let first = Int32(trie.methodNames.count)
        for name in route.methods {
            let bytes = Array(name.utf8)
            let method = Method(bytes.span)
            if method == .other { trie.methodNames.append(bytes) } else { set.known |= MethodSet.bit(method) }
        }
        set.others = first..<Int32(trie.methodNames.count)
        return set
    }
}
