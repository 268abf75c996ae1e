import ArgumentParser
import JOSE

/// `name=value`: the value as JSON when it is that, otherwise as a string.
struct ClaimArgument: ExpressibleByArgument {
    let name: String
    let value: JSONValue

    init?(argument: String) {
        guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else { return nil }
        name = String(argument[..<sign])
        let text = String(argument[argument.index(after: sign)...])
        let bytes = Array(text.utf8)
        value = (try? JSONReader.parse(bytes.span)) ?? .string(text)
    }
}
