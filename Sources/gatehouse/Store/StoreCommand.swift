import ArgumentParser

/// `gatehouse store`
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Move what is kept to another store.", subcommands: [StoreImportCommand.self])

    func run() throws {
        throw CommandFailure(
            status: CommandFailure.wrongUsage, message: Gatehouse.helpMessage(for: StoreCommand.self))
    }
}
