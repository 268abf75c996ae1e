/// What may stand in an API key's fields: ids become header values and path segments, names are shown to people.
enum KeyFields {
    static let longestID = 256
    static let longestName = 100

    static func check(agentID: String, ownerID: String, name: String) throws(KeyServiceError) {
        try check(id: agentID, field: "agentId")
        // An agent is matched with one segment of a normalised path, so none of these could ever match.
        if agentID == "." || agentID == ".." || agentID.utf8.contains(where: { #"/?#%\"#.utf8.contains($0) }) {
            throw .invalid(field: "agentId", reason: "cannot be a segment of a path")
        }
        try check(id: ownerID, field: "ownerId")
        guard !name.isEmpty else { throw .invalid(field: "name", reason: "is empty") }
        guard name.count <= longestName, name.utf8.count <= 4 * longestName else {
            throw .invalid(field: "name", reason: "is longer than \(longestName) characters")
        }
        guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw .invalid(field: "name", reason: "has control characters")
        }
    }

    private static func check(id: String, field: String) throws(KeyServiceError) {
        guard (1...longestID).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .invalid(field: field, reason: "is not 1 to \(longestID) visible ASCII characters")
        }
    }
}
