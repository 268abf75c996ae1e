import HTTP

/// The methods that a route names, one bit for each registered method. Others are held by name, as a place in the
/// trie's list of names.
struct MethodSet: Sendable, Equatable {
    /// Bits by `Method.rawValue`; never that of `.other`.
    var known: UInt16 = 0
    /// Places of other methods' names in `RouteTrie.methodNames`.
    var others: Range<Int32> = 0..<0
    /// The route names none, so every method passes.
    var isAny = false

    static func bit(_ method: Method) -> UInt16 { 1 &<< UInt16(method.rawValue) }

    func contains(_ method: Method) -> Bool { known & MethodSet.bit(method) != 0 }
}
