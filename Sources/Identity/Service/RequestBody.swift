internal import HTTP
internal import JOSE

/// The JSON object of a request to an endpoint, read strictly: every way in which it can be wrong is a 400 that names the
/// field.
struct RequestBody {
    private let object: JSONObject

    /// Reads a body. An empty one is an object without members where `allowsEmpty` says so.
    init(_ bytes: [UInt8], allowsEmpty: Bool = false) throws(Refusal) {
        if bytes.isEmpty && allowsEmpty {
            object = JSONObject()
            return
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONReader.parse(bytes.span) } catch {
            throw .badRequest(field: "body", reason: "is not acceptable JSON: \(error)")
        }
        guard case .object(let object) = value else {
            throw .badRequest(field: "body", reason: "is not a JSON object")
        }
        self.object = object
    }

    /// Whether there is such a member that is not `null`.
    func has(_ field: String) -> Bool { object[field].map { $0 != .null } ?? false }

    /// A string that has to be there.
    func text(_ field: String) throws(Refusal) -> String {
        guard let value = object[field] else { throw .badRequest(field: field, reason: "is missing") }
        guard case .string(let text) = value else { throw .badRequest(field: field, reason: "is not a string") }
        return text
    }

    /// A string that may be absent or `null`.
    func optionalText(_ field: String) throws(Refusal) -> String? { has(field) ? try text(field) : nil }

    /// A time as in RFC 3339 that may be absent or `null`.
    func time(_ field: String) throws(Refusal) -> Int64? {
        guard has(field) else { return nil }
        guard let seconds = Timestamp.parse(try text(field)) else {
            throw .badRequest(field: field, reason: "is not a time like 2030-01-01T00:00:00Z")
        }
        return seconds
    }

    /// A whole number that may be absent or `null`.
    func integer(_ field: String) throws(Refusal) -> Int64? {
        guard has(field) else { return nil }
        guard let number = object[field]?.integer else {
            throw .badRequest(field: field, reason: "is not a whole number")
        }
        return number
    }
}
