import ArgumentParser
import Identity

/// `gatehouse keys create`
struct KeysCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an API key for an agent; it is printed once.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Option(help: ArgumentHelp("The agent that the key speaks for.", valueName: "id")) var agent: String
    @Option(help: ArgumentHelp("The user who owns the agent.", valueName: "user")) var owner: String
    @Option(help: ArgumentHelp("What to call it.", valueName: "name")) var name = "default"
    @Option(help: ArgumentHelp("When it expires, like 2030-01-01T00:00:00Z. Default: never.", valueName: "time"))
    var expiresAt: Moment?

    func run() throws {
        let key = try KeysCommand.perform(options) { service throws(KeyServiceError) in
            try service.create(
                agentID: agent, ownerID: owner, name: name, expiresAt: expiresAt?.unixSeconds, now: WallClock.now)
        }
        KeysCommand.show(key, asJSON: output.json)
    }
}
