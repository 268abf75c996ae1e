import ArgumentParser
import Identity

/// `gatehouse users disable`
struct UsersDisableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "End a user's sessions, tokens and API keys, and let nobody log in as him.")

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "The user's e-mail.") var email: String

    func run() throws {
        try UsersCommand.perform(options) { service throws(UserService.Failure) in
            try service.setDisabled(true, email: email)
        }
        print("disabled \(Output.printable(email))")
    }
}
