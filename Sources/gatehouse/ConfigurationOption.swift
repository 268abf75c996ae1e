import ArgumentParser
import Configuration
import Foundation

/// `-c FILE`, which every command that reads the configuration takes.
struct ConfigurationOption: ParsableArguments {
    static let defaultPath = "gateway.conf"

    @Option(name: [.customShort("c"), .long], help: ArgumentHelp("The configuration.", valueName: "file"))
    var config = Self.defaultPath

    /// The checked configuration; otherwise everything that is wrong with it goes to stderr, and the command has failed.
    func load() throws -> Configuration {
        do throws(ConfigurationErrors) {
            return try Self.load(config)
        } catch {
            Output.error(error.description)
            throw CommandFailure(status: CommandFailure.explained)
        }
    }

    static func load(_ path: String) throws(ConfigurationErrors) -> Configuration {
        try ConfigurationLoader.load(path: path, environment: ProcessInfo.processInfo.environment)
    }
}

/// `--json`, which every command that prints a table takes.
struct JSONOption: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false
}
