import ArgumentParser
import Configuration
import JOSE
import Policy

/// `gatehouse check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read the whole configuration and every file that it names.",
        discussion:
            "Prints every error and warning, and which routes are open to everybody. Exit 1 when there is an error.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption

    func run() throws {
        do throws(ConfigurationErrors) {
            let configuration = try ConfigurationOption.load(options.config)
            if output.json { Output.json(summary(configuration)) } else { report(configuration) }
        } catch {
            try report(error)
        }
    }

    private func report(_ failure: ConfigurationErrors) throws {
        let errors = failure.diagnostics.filter { $0.severity == .error }.count
        let warnings = failure.diagnostics.count - errors
        if output.json {
            Output.json([
                "valid": .bool(false), "errors": .integer(Int64(errors)), "warnings": .integer(Int64(warnings)),
                "diagnostics": .array(failure.diagnostics.map(\.json)),
            ])
            throw CommandFailure(status: CommandFailure.explained)
        }
        let total =
            "\(options.config): \(count(errors, "error"))" + (warnings > 0 ? ", \(count(warnings, "warning"))" : "")
        throw CommandFailure(status: CommandFailure.explained, message: "\(failure.description)\n\(total)")
    }

    private func report(_ configuration: Configuration) {
        for warning in configuration.warnings { Output.error(warning.rendered) }
        let parts = [
            count(configuration.routes.count, "route"), count(configuration.upstreams.count, "upstream"),
            count(configuration.issuers.count, "token issuer"), count(configuration.warnings.count, "warning"),
        ]
        print("\(options.config) is valid: \(parts.joined(separator: ", ")).")
        let open = configuration.routes.filter(\.isPublic)
        let total = configuration.routes.count
        reportOwn(OwnEndpoints(configuration).rows.filter(\.isPublic).map(\.pattern))
        guard !open.isEmpty else {
            print("No route is open: all \(total) demand a credential. /healthz answers everybody.")
            return
        }
        print(
            "\(open.count) of \(count(total, "route")) \(open.count == 1 ? "is" : "are") open (accept none), beside /healthz:"
        )
        for route in open { print("  \(route.name) (\(route.position.text))") }
    }

    /// What the gateway itself answers to everybody.
    private func reportOwn(_ patterns: [String]) {
        guard !patterns.isEmpty else { return }
        print("The gateway serves itself, without a credential: \(patterns.joined(separator: ", ")).")
    }

    private func summary(_ configuration: Configuration) -> JSONObject {
        let open = configuration.routes.filter(\.isPublic).map { route in
            JSONValue.object(["route": .string(route.name), "place": .string(route.position.text)])
        }
        return [
            "valid": .bool(true), "errors": .integer(0), "warnings": .integer(Int64(configuration.warnings.count)),
            "diagnostics": .array(configuration.warnings.map(\.json)),
            "routes": .integer(Int64(configuration.routes.count)), "openRoutes": .array(open),
        ]
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

extension Diagnostic {
    fileprivate var json: JSONValue {
        .object([
            "file": .string(file), "line": .integer(Int64(line)), "column": .integer(Int64(column)),
            "severity": .string(severity.rawValue), "message": .string(message),
            "suggestion": suggestion.map { .string($0) } ?? .null,
        ])
    }
}
