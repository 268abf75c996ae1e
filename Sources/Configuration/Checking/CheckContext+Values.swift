extension CheckContext {
    /// `64k`, `10m`, `1g` or plain bytes.
    func size(_ word: Word, _ range: ClosedRange<Int>) -> Int? {
        guard let value = Self.quantity(word.text, units: ["": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30]) else {
            let trimmed = word.text.lowercased().hasSuffix("b") ? String(word.text.dropLast()) : ""
            let isClose = Self.quantity(trimmed, units: ["k": 1, "m": 1, "g": 1]) != nil
            error(
                "'\(word.text.clipped)' is no size", at: word,
                suggestion: isClose ? "write '\(trimmed.lowercased())'" : "write it like 64k, 10m or 500")
            return nil
        }
        return inRange(value, range, word, Self.sizeText)
    }

    /// `500ms`, `30s`, `5m`, `1h`, `7d`.
    func duration(_ word: Word, _ range: ClosedRange<Duration>) -> Duration? {
        let units = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let milliseconds = Self.quantity(word.text, units: units) else {
            if Self.quantity(word.text, units: ["": 1]) != nil {
                error(
                    "'\(word.text.clipped)' has no unit", at: word,
                    suggestion: "write '\(word.text.clipped)s' for seconds; units are ms, s, m, h and d")
            } else {
                error(
                    "'\(word.text.clipped)' is no time", at: word, suggestion: "write it like 500ms, 30s, 5m, 1h or 7d")
            }
            return nil
        }
        return inRange(.milliseconds(milliseconds), range, word, Self.durationText)
    }

    /// A word that is not empty.
    func nonEmpty(_ word: Word) -> String? {
        if !word.text.isEmpty { return word.text }
        error("an empty value", at: word, suggestion: "write one, or remove the directive")
        return nil
    }

    /// A whole number.
    func integer(_ word: Word, _ range: ClosedRange<Int>) -> Int? {
        guard let value = Self.quantity(word.text, units: ["": 1]) else {
            error(
                "'\(word.text.clipped)' is no whole number", at: word,
                suggestion: "write a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return inRange(value, range, word) { String($0) }
    }

    /// `on` or `off`.
    func isOn(_ word: Word) -> Bool? {
        choice(word, ["on": true, "off": false], others: ["yes": "on", "true": "on", "no": "off", "false": "off"])
    }

    /// One of some words.
    func choice<Value>(
        _ word: Word, _ values: KeyValuePairs<String, Value>, others: [String: String] = [:]
    ) -> Value? {
        if let value = values.first(where: { $0.key == word.text }) { return value.value }
        let names = values.map(\.key)
        let list = names.dropLast().map { "'\($0)'" }.joined(separator: ", ")
        let suggestion =
            others[word.text.lowercased()].map { "did you mean '\($0)'?" }
            ?? Spelling.suggestion(for: word.text, among: names)
            ?? (names.count > 1 ? "write \(list) or '\(names[names.count - 1])'" : "write '\(names[0])'")
        error("unknown value '\(word.text.clipped)'", at: word, suggestion: suggestion)
        return nil
    }

    private func inRange<Value: Comparable>(
        _ value: Value, _ range: ClosedRange<Value>, _ word: Word, _ text: (Value) -> String
    ) -> Value? {
        if range.contains(value) { return value }
        error(
            "'\(word.text.clipped)' is out of range", at: word,
            suggestion: "write something from \(text(range.lowerBound)) to \(text(range.upperBound))")
        return nil
    }

    /// Digits and a unit; what does not fit is as large as can be.
    private static func quantity(_ text: String, units: [String: Int]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard !digits.isEmpty, let factor = units[text.dropFirst(digits.count).lowercased()] else { return nil }
        let (product, overflow) = (Int(digits) ?? .max).multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }

    static func sizeText(_ bytes: Int) -> String {
        for (shift, unit) in [(30, "g"), (20, "m"), (10, "k")] where bytes > 0 && bytes & ((1 << shift) - 1) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return String(bytes)
    }

    static func durationText(_ duration: Duration) -> String {
        let milliseconds = Int(duration / .milliseconds(1))
        for (factor, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")]
        where milliseconds > 0 && milliseconds.isMultiple(of: factor) {
            return "\(milliseconds / factor)\(unit)"
        }
        return milliseconds == 0 ? "0s" : "\(milliseconds)ms"
    }
}
