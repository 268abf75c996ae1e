/// A JSON object: members in the order they were written, each name once.
///
/// Names are compared byte for byte. Swift's own string comparison is by canonical equivalence, where U+212A KELVIN SIGN
/// equals `K`: too lenient for something that decides who somebody is.
public struct JSONObject: Equatable, Sendable, ExpressibleByDictionaryLiteral {
    /// A name and its value.
    public struct Member: Equatable, Sendable {
        /// The name.
        public let name: String
        /// The value.
        public var value: JSONValue
    }

    /// The members, in order.
    public private(set) var members: [Member]

    /// An object without members.
    public init() { members = [] }

    /// An object with these members; of a name given twice the last counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = []
        for (name, value) in elements { self[name] = value }
    }

    /// Takes members whose names the reader has found to differ.
    init(distinct members: [Member]) { self.members = members }

    /// The value of a member; nil when there is none. Setting nil removes it.
    public subscript(_ name: String) -> JSONValue? {
        get {
            for member in members where member.name.hasSameBytes(as: name) { return member.value }
            return nil
        }
        set {
            guard let place = members.firstIndex(where: { $0.name.hasSameBytes(as: name) }) else {
                if let newValue { members.append(Member(name: name, value: newValue)) }
                return
            }
            if let newValue { members[place].value = newValue } else { members.remove(at: place) }
        }
    }

    /// Whether it has no members.
    public var isEmpty: Bool { members.isEmpty }
}

extension String {
    /// Whether both have the same UTF-8 bytes: `==` alone would also take canonically equivalent strings for equal.
    public func hasSameBytes(as other: String) -> Bool {
        let one = utf8.span
        let other = other.utf8.span
        guard one.count == other.count else { return false }
        for index in 0..<one.count where one[index] != other[index] { return false }
        return true
    }
}
