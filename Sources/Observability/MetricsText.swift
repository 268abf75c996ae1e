/// Text in Prometheus' exposition format: families of samples.
struct MetricsText: ~Copyable {
    private var bytes = LineBuffer(capacity: 16 * 1024)
    private var name: StaticString = ""

    /// Begins a family: its HELP and TYPE lines. The samples that follow are its.
    mutating func family(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
        self.name = name
        bytes.append("# HELP ")
        bytes.append(name)
        bytes.append(" ")
        bytes.append(help)
        bytes.append("\n# TYPE ")
        bytes.append(name)
        bytes.append(" ")
        bytes.append(type)
        bytes.append("\n")
    }

    /// The text so far; nothing is left.
    mutating func take() -> [UInt8] { bytes.take() }

    /// Adds a sample with a whole number.
    mutating func sample(_ labels: [(name: String, value: String)], _ value: UInt64, suffix: StaticString = "") {
        begin(labels, suffix)
        bytes.append(decimal: value)
        bytes.append("\n")
    }

    /// Adds a sample with a number that is written already.
    mutating func sample(_ labels: [(name: String, value: String)], _ value: String, suffix: StaticString = "") {
        begin(labels, suffix)
        bytes.append(text: value)
        bytes.append("\n")
    }

    private mutating func begin(_ labels: [(name: String, value: String)], _ suffix: StaticString) {
        bytes.append(name)
        bytes.append(suffix)
        for (index, label) in labels.enumerated() {
            bytes.append(index == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
            bytes.append(text: label.name)
            bytes.append("=\"")
            append(escaped: label.value)
            bytes.append("\"")
        }
        if !labels.isEmpty { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: " "))
    }

    /// A label's value: backslash, quote and line feed are escaped.
    private mutating func append(escaped value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append("\\\\")
            case UInt8(ascii: "\""): bytes.append("\\\"")
            case UInt8(ascii: "\n"): bytes.append("\\n")
            default: bytes.append(byte)
            }
        }
    }
}
