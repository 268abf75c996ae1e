public import Configuration
public import HTTP
import JOSE

/// Finds the route of a request. Immutable.
///
/// The most specific pattern wins, whatever the order in the file: segment by segment a literal before `{name}`, a
/// longer pattern before a shorter one, one that names methods before one that takes all, one for the request's host
/// before one for any. Only routes that take the method count; if there is none but others cover the path, the answer is
/// 405. A pattern that ends in `/` covers that path, with or without the slash, and all below it; another one covers
/// exactly that path.
public final class Router: Sendable {
    /// What a look-up ends with.
    public enum Outcome: Equatable, Sendable {
        /// The match says which route.
        case found
        /// No pattern covers the path: 404.
        case notFound
        /// Patterns cover the path, but not with this method: 405. The value is that of `Allow`.
        case methodNotAllowed(String)
    }

    private struct HostRoot: Sendable {
        var name: [UInt8]
        var root: Int32
    }

    private let trie: RouteTrie
    /// The root of routes without `host`.
    private let anyHost: Int32
    /// Open addressing by `hostHash`, at most half full; a free place has no name. Empty without host routes.
    private let hosts: [HostRoot]

    /// A router of a configuration's routes.
    public convenience init(configuration: Configuration) { self.init(routes: configuration.routes) }

    /// A router of these routes. Patterns that tie are the configuration's error; here the first one wins.
    public init(routes: [Route]) {
        var builder = RouteTrieBuilder(routes: routes)
        let anyHost = builder.addRoot()
        var roots: [[UInt8]: Int32] = [:]
        for (place, route) in routes.enumerated() {
            guard let host = route.host else {
                builder.add(place, below: anyHost)
                continue
            }
            let bytes = Array(host.utf8)
            let name = Router.hostRange(bytes.span).map { ByteWords.lowered(bytes[$0]) }
            let root: Int32
            if let known = roots[name] { root = known } else { root = builder.addRoot() }
            roots[name] = root
            builder.add(place, below: root)
        }
        self.anyHost = anyHost
        self.trie = builder.build()
        self.hosts = Router.table(of: roots)
    }

    /// Finds the route for a request. `host` is the value of `Host` with or without port, or empty; `path` is in normal
    /// form. Allocates nothing, except to say 405 and while `match` still grows.
    public func match(
        host: Span<UInt8>, method: Method, methodName: Span<UInt8>, path: Span<UInt8>, into match: inout RouteMatch
    ) -> Outcome {
        match.reset()
        let root = hosts.isEmpty ? -1 : hostRoot(host)
        if root >= 0, search(root, 0, path, method, methodName, &match) { return .found }
        if search(anyHost, 0, path, method, methodName, &match) { return .found }
        var allowed = AllowedMethods()
        if root >= 0 { collect(root, 0, path, into: &allowed, &match) }
        collect(anyHost, 0, path, into: &allowed, &match)
        return allowed.isEmpty ? .notFound : .methodNotAllowed(allowed.text(trie.methodNames))
    }

    // MARK: The walk

    // Depth first in the order of specificity. `place` is that of the slash before the next segment, or the path's end.
    // Recursion is bounded by the longest pattern, and each node is visited at most once, so a path cannot make it slow.

    private func search(
        _ node: Int32, _ place: Int, _ path: Span<UInt8>, _ method: Method, _ name: Span<UInt8>,
        _ match: inout RouteMatch
    ) -> Bool {
        let here = trie.nodes[Int(node)]
        if place == path.count {
            if settle(here.exact, method, name, &match) { return true }
        } else if place &+ 1 < path.count, here.hasLiterals || here.parameterChild >= 0 {
            let start = place &+ 1
            let end = Router.segmentEnd(path, start)
            if here.hasLiterals {
                let child = trie.literalChild(of: node, path, start, end &- start)
                if child >= 0, search(child, end, path, method, name, &match) { return true }
            }
            if here.parameterChild >= 0 {
                match.parameters.append(ByteRange(from: start, to: end))
                if search(here.parameterChild, end, path, method, name, &match) { return true }
                match.parameters.removeLast()
            }
        }
        return settle(here.prefix, method, name, &match)
    }

    @inline(__always)
    private func settle(
        _ entries: Range<Int32>, _ method: Method, _ name: Span<UInt8>, _ match: inout RouteMatch
    ) -> Bool {
        for place in entries where trie.admits(Int(place), method, name) {
            let entry = trie.entries[Int(place)]
            match.routeIndex = Int(entry.route)
            if entry.agentParameter >= 0 { match.agent = match.parameters[Int(entry.agentParameter)] }
            return true
        }
        return false
    }

    /// Every method of every pattern that covers the path, the most specific first.
    private func collect(
        _ node: Int32, _ place: Int, _ path: Span<UInt8>, into allowed: inout AllowedMethods, _ match: inout RouteMatch
    ) {
        func add(_ entries: Range<Int32>) {
            for entry in entries {
                if allowed.isEmpty { match.coveringIndex = Int(trie.entries[Int(entry)].route) }
                allowed.add(trie.entries[Int(entry)].methods)
            }
        }
        let here = trie.nodes[Int(node)]
        if place == path.count {
            add(here.exact)
        } else if place &+ 1 < path.count {
            let start = place &+ 1
            let end = Router.segmentEnd(path, start)
            let child = here.hasLiterals ? trie.literalChild(of: node, path, start, end &- start) : -1
            if child >= 0 { collect(child, end, path, into: &allowed, &match) }
            if here.parameterChild >= 0 { collect(here.parameterChild, end, path, into: &allowed, &match) }
        }
        add(here.prefix)
    }

    @inline(__always)
    private static func segmentEnd(_ path: Span<UInt8>, _ start: Int) -> Int {
        ByteWords.first(UInt8(ascii: "/"), in: path, from: start)
    }

    // MARK: Hosts

    /// The name in a `Host` value: without port, and without the dot that ends a fully qualified name.
    private static func hostRange(_ host: Span<UInt8>) -> Range<Int> {
        var end = 0
        if host.count > 0, host[0] == UInt8(ascii: "[") {
            while end < host.count, host[end] != UInt8(ascii: "]") { end &+= 1 }
            return 0..<min(end &+ 1, host.count)
        }
        while end < host.count, host[end] != UInt8(ascii: ":") { end &+= 1 }
        return 0..<(end > 1 && host[end &- 1] == UInt8(ascii: ".") ? end &- 1 : end)
    }

    /// Host names are few and configured: a byte at a time, since case is folded on the way.
    private static func hostHash(_ host: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for place in range { hash = (hash ^ UInt64(ByteWords.lowered(host[place]))) &* 0x0000_0100_0000_01b3 }
        return hash ^ (hash &>> 32)
    }

    private static func table(of roots: [[UInt8]: Int32]) -> [HostRoot] {
        guard !roots.isEmpty else { return [] }
        var size = 4
        while size < roots.count * 2 { size *= 2 }
        var table = [HostRoot](repeating: HostRoot(name: [], root: -1), count: size)
        for (name, root) in roots {
            var place = Int(truncatingIfNeeded: hostHash(name.span, 0..<name.count)) & (size - 1)
            while table[place].root >= 0 { place = (place + 1) & (size - 1) }
            table[place] = HostRoot(name: name, root: root)
        }
        return table
    }

    private func hostRoot(_ host: Span<UInt8>) -> Int32 {
        let range = Router.hostRange(host)
        var place = Int(truncatingIfNeeded: Router.hostHash(host, range)) & (hosts.count &- 1)
        while hosts[place].root >= 0 {
            let name = hosts[place].name
            if Router.isHost(name, host, range) { return hosts[place].root }
            place = (place &+ 1) & (hosts.count &- 1)
        }
        return -1
    }

    private static func isHost(_ name: [UInt8], _ host: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard name.count == range.count else { return false }
        for place in 0..<name.count where name[place] != ByteWords.lowered(host[place]) { return false }
        return true
    }
}
