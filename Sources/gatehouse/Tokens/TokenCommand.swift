import ArgumentParser

/// `gatehouse token`
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Look into a JWT, or make one for tests and machines.",
        subcommands: [TokenInspectCommand.self, TokenSignCommand.self])

    func run() throws {
        throw CommandFailure(
            status: CommandFailure.wrongUsage, message: Gatehouse.helpMessage(for: TokenCommand.self))
    }
}
