/// Text in Prometheus' exposition format: families of samples.
struct MetricsText {
    private(set) var bytes: [UInt8] = []
    private var name: StaticString = ""

    /// Begins a family: its HELP and TYPE lines. The samples that follow are its.
    mutating func family(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
        self.name = name
        bytes.append(literal: "# HELP ")
        bytes.append(literal: name)
        bytes.append(literal: " ")
        bytes.append(literal: help)
        bytes.append(literal: "\n# TYPE ")
        bytes.append(literal: name)
        bytes.append(literal: " ")
        bytes.append(literal: type)
        bytes.append(literal: "\n")
    }

    /// Adds a sample with a whole number.
    mutating func sample(_ labels: [(name: String, value: String)], _ value: UInt64, suffix: StaticString = "") {
        begin(labels, suffix)
        bytes.append(decimal: value)
        bytes.append(literal: "\n")
    }

    /// Adds a sample with a number that is written already.
    mutating func sample(_ labels: [(name: String, value: String)], _ value: String, suffix: StaticString = "") {
        begin(labels, suffix)
        bytes.append(text: value)
        bytes.append(literal: "\n")
    }

    private mutating func begin(_ labels: [(name: String, value: String)], _ suffix: StaticString) {
        bytes.append(literal: name)
        bytes.append(literal: suffix)
        for (index, label) in labels.enumerated() {
            bytes.append(literal: index == 0 ? "{" : ",")
            bytes.append(text: label.name)
            bytes.append(literal: "=\"")
            append(escaped: label.value)
            bytes.append(literal: "\"")
        }
        bytes.append(literal: labels.isEmpty ? " " : "} ")
    }

    /// A label's value: backslash, quote and line feed are escaped.
    private mutating func append(escaped value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append(literal: "\\\\")
            case UInt8(ascii: "\""): bytes.append(literal: "\\\"")
            case UInt8(ascii: "\n"): bytes.append(literal: "\\n")
            default: bytes.append(byte)
            }
        }
    }
}
