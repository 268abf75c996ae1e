import ArgumentParser
import Identity

/// `gatehouse keys rotate`
struct KeysRotateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Replace an API key by a new one, which is printed once.",
        discussion:
            "The new key has the agent, owner, name and expiry of the old one, which works until the grace is over.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Option(
        help: ArgumentHelp(
            "How long the old key lives on: 30m, 1h, 7d; 0s ends it now. Default: 1h.", valueName: "time"))
    var grace: TimeSpan?
    @Argument(help: ArgumentHelp("The key's id, from 'keys list'.", valueName: "key-id")) var keyID: String

    func run() throws {
        let key = try KeysCommand.perform(options) { service throws(KeyServiceError) in
            try service.rotate(id: keyID, grace: grace?.seconds ?? KeyService.defaultGrace, now: WallClock.now)
        }
        KeysCommand.show(key, asJSON: output.json)
    }
}
