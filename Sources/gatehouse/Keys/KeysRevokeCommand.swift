import ArgumentParser
import Identity

/// `gatehouse keys revoke`
struct KeysRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "revoke", abstract: "End an API key now.")

    @OptionGroup var options: ConfigurationOption
    @Argument(help: ArgumentHelp("The key's id, from 'keys list'.", valueName: "key-id")) var keyID: String

    func run() throws {
        try KeysCommand.perform(options) { service throws(KeyServiceError) in
            try service.revoke(id: keyID, now: WallClock.now)
        }
        print("revoked \(keyID)")
    }
}
