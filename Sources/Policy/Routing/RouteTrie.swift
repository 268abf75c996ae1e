import HTTP
import JOSE

/// Every pattern as a path of nodes, laid out in a few arrays. Immutable once `RouteTrieBuilder` has made it.
///
/// All nodes' literal children stand in one hash table (open addressing, at most half full) under the pair of node and
/// segment, so a step costs the same with ten routes and with ten thousand, and a look-up allocates nothing.
struct RouteTrie: Sendable {
    struct Node: Sendable {
        var hasLiterals = false
        /// The node behind a `{name}` segment, or -1.
        var parameterChild: Int32 = -1
        /// Entries of patterns that end here without a slash, most specific first.
        var exact: Range<Int32> = 0..<0
        /// Entries of patterns that end here with a slash, most specific first.
        var prefix: Range<Int32> = 0..<0
    }

    /// A literal child. The hash 0 marks a free place.
    struct Edge: Sendable {
        var hash: UInt64 = 0
        var parent: Int32 = 0
        var child: Int32 = 0
        var start: Int32 = 0
        var count: Int32 = 0
    }

    struct Entry: Sendable {
        var methods: MethodSet
        var route: Int32
        /// Which of the pattern's parameters `agent` names, or -1.
        var agentParameter: Int32
    }

    var nodes: [Node] = []
    var edges: [Edge] = []
    var entries: [Entry] = []
    /// The literals' bytes.
    var text: [UInt8] = []
    /// Names of methods that `Method` does not know.
    var methodNames: [[UInt8]] = []

    /// The hash of a literal below `node`; never 0. Only configured literals are in the table, so a client cannot make
    /// it degenerate.
    @inline(__always)
    static func hash(_ segment: Span<UInt8>, _ start: Int, _ count: Int, below node: Int32) -> UInt64 {
        var state = UInt64(truncatingIfNeeded: count) ^ (UInt64(truncatingIfNeeded: node) &* 0x9e37_79b9_7f4a_7c15)
        var place = 0
        while place &+ 8 <= count {
            state = ByteWords.mix(state ^ ByteWords.load(segment, start &+ place), 0xa076_1d64_78bd_642f)
            place &+= 8
        }
        let tail = ByteWords.tail(segment, start &+ place, count &- place)
        return ByteWords.mix(state ^ tail, 0xe703_7ed1_a0b4_28db) | 1
    }

    /// The node behind this literal segment, or -1.
    @inline(__always)
    func literalChild(of node: Int32, _ path: Span<UInt8>, _ start: Int, _ count: Int) -> Int32 {
        let hash = RouteTrie.hash(path, start, count, below: node)
        let mask = edges.count &- 1
        var place = Int(truncatingIfNeeded: hash &>> 1) & mask
        while true {
            let edge = edges[place]
            if edge.hash == 0 { return -1 }
            if edge.hash == hash, edge.parent == node, Int(edge.count) == count,
                ByteWords.equal(path, start, text.span, Int(edge.start), count)
            {
                return edge.child
            }
            place = (place &+ 1) & mask
        }
    }

    /// Whether an entry takes a method.
    @inline(__always)
    func admits(_ entry: Int, _ method: Method, _ name: Span<UInt8>) -> Bool {
        let methods = entries[entry].methods
        if methods.isAny { return true }
        guard method == .other else { return methods.contains(method) }
        for place in methods.others where ByteWords.equal(methodNames[Int(place)], name) { return true }
        return false
    }
}
