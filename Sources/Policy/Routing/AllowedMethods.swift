import HTTP

/// Gathers what `Allow` has to say (RFC 9110 §10.2.1).
struct AllowedMethods {
    private var known: UInt16 = 0
    private var others: [Range<Int32>] = []

    var isEmpty: Bool { known == 0 && others.isEmpty }

    mutating func add(_ methods: MethodSet) {
        known |= methods.known
        if !methods.others.isEmpty { others.append(methods.others) }
    }

    /// "GET, HEAD, POST": registered methods in their fixed order, then the others as the file names them.
    func text(_ names: [[UInt8]]) -> String {
        var list: [String] = []
        for method in Method.allCases where method != .other && known & MethodSet.bit(method) != 0 {
            list.append("\(method.name)")
        }
        for place in others.joined() {
            let name = String(decoding: names[Int(place)], as: UTF8.self)
            if !list.contains(name) { list.append(name) }
        }
        return list.joined(separator: ", ")
    }
}
