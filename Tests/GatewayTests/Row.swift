import Testing

/// A rule, what goes in, what must come out, and why.
struct Row<Input: Sendable, Expectation: Sendable>: CustomTestStringConvertible, Sendable {
    let name: String
    let input: Input
    let expectation: Expectation
    let why: String

    init(_ name: String, _ input: Input, _ expectation: Expectation, why: String = "") {
        self.name = name
        self.input = input
        self.expectation = expectation
        self.why = why
    }

    var testDescription: String { name }
}
