import ArgumentParser
import Configuration
import Gateway
import Logging

/// `gatehouse run`
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve in the foreground; log to stderr.",
        discussion: """
            SIGHUP reads the configuration again, SIGTERM and SIGINT drain (a second one stops), SIGUSR1 reopens logs,
            SIGUSR2 hands over to the binary that argv[0] names.
            """)

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        CoreDumps.forbid()
        let configuration = try options.load()
        let log = OperatorLog()
        LoggingSystem.bootstrap { LineLogHandler(label: $0, log: log) }
        defer { log.flush() }
        for warning in configuration.warnings { Output.error(warning.rendered) }
        let store = try StoreAccess.open(configuration)
        let path = options.config
        let server: Server
        do throws(ServerError) {
            server = try Server(
                configuration: configuration,
                loader: {
                    do throws(ConfigurationErrors) { return .success(try ConfigurationOption.load(path)) } catch {
                        return .failure(error)
                    }
                }, store: store, logger: Logger(label: "gatehouse"))
        } catch {
            throw CommandFailure(error.message)
        }
        let status = server.run()
        if status != 0 { throw CommandFailure(status: status) }
    }
}
