import ArgumentParser
import Configuration
import Foundation
import HTTP
import JOSE
import Policy
import Providers

/// `gatehouse explain`
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Show which route a request meets and the decision, without sending it.",
        discussion: """
            The store's API keys are known here too, and the keys of issuers that the gateway has fetched and kept. An
            explained refusal is a success. A credential need not stand in argv: gatehouse explain GET /api/ -H @- <headers
            """)

    private static let headerLimit = 1 << 20

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption

    @Option(
        name: [.customShort("H"), .customLong("header")],
        help: ArgumentHelp(
            "A header line, or @FILE or @- for lines from a file or stdin. Repeatable.", valueName: "name: value"))
    var headers: [String] = []

    @Argument(help: "The request's method.") var method: String
    @Argument(help: "The path, with its query if there is one.") var path: String

    func validate() throws {
        for header in headers where !header.hasPrefix("@") && !header.contains(":") {
            throw ValidationError("A header is 'NAME: VALUE', @FILE or @-.")  // not repeated: it may be a credential
        }
        if headers.filter({ $0 == "@-" }).count > 1 { throw ValidationError("Only one -H can read stdin.") }
    }

    func run() throws {
        let lines = try headers.flatMap(fieldLines)
        let configuration = try options.load()
        let known = try StoreAccess.contentsForReading(configuration)
        let trace = DecisionTrace(
            DecisionTrace.Request(method: method, target: path, fieldLines: lines),
            configuration: KeptKeys.known(to: configuration),
            keys: KeyTable(known.keys), revocations: RevocationSet(known.revocations, now: WallClock.now),
            now: WallClock.now)
        if output.json { return Output.json(json(trace)) }
        for step in trace.steps { print(Output.printable(step)) }
    }

    private func fieldLines(_ header: String) throws -> [String] {
        guard header.hasPrefix("@") else { return [header] }
        let bytes: [UInt8]
        if header == "@-" {
            bytes = try StandardInput.read(limit: Self.headerLimit)
        } else {
            let path = String(header.dropFirst())
            guard let contents = FileManager.default.contents(atPath: path) else {
                throw CommandFailure("\(path): the file with header lines cannot be read")
            }
            bytes = Array(contents.prefix(Self.headerLimit))
        }
        return bytes.split(separator: UInt8(ascii: "\n")).map { line in
            String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
        }.filter { !$0.isEmpty }
    }

    private func json(_ trace: DecisionTrace) -> JSONObject {
        let decision: String
        var upstream = JSONValue.null
        switch trace.outcome {
        case .forwarded(let name):
            decision = "forwarded"
            upstream = .string(name)
        case .refused: decision = "refused"
        case .answered: decision = "answered"
        case .undecided(let name):
            decision = "undecided"
            upstream = name.map { .string($0) } ?? .null
        }
        return [
            "decision": .string(decision), "status": trace.status.map { .integer(Int64($0)) } ?? .null,
            "error": trace.code.map { .string($0) } ?? .null, "route": trace.route.map { .string($0.name) } ?? .null,
            "upstream": upstream, "steps": .array(trace.steps.map { .string($0) }),
        ]
    }
}
