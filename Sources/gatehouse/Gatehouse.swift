import ArgumentParser

/// The command line's root.
struct Gatehouse: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gatehouse",
        abstract: "An authentication gateway: it checks tokens and API keys before requests reach the backend.",
        version: gatehouseVersion,
        subcommands: [
            RunCommand.self, CheckCommand.self, RoutesCommand.self, ExplainCommand.self, UsersCommand.self,
            KeysCommand.self, StoreCommand.self,
            TokenCommand.self, VersionCommand.self,
        ])

    func run() throws {
        throw CommandFailure(status: CommandFailure.wrongUsage, message: Gatehouse.helpMessage())
    }
}
