/// Finds a name that occurs twice in an object, in time proportional to the object's size.
///
/// Small objects are searched; beyond that a set with a per-process random seed takes over, so that a token full of
/// members costs its sender as much as us.
struct DistinctNames {
    private static let searchedAtMost = 16
    private var set: Set<Name> = []

    /// Bytes, not canonical equivalence, tell names apart.
    private struct Name: Hashable {
        let text: String

        static func == (one: Name, other: Name) -> Bool { one.text.hasSameBytes(as: other.text) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
        }
    }

    /// False when `name` is already one of the members.
    mutating func insert(_ name: String, among members: [JSONObject.Member]) -> Bool {
        if members.count < Self.searchedAtMost {
            for member in members where member.name.hasSameBytes(as: name) { return false }
            return true
        }
        if set.isEmpty { for member in members { set.insert(Name(text: member.name)) } }
        return set.insert(Name(text: name)).inserted
    }
}
