import ArgumentParser
import Identity

/// `gatehouse users enable`
struct UsersEnableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Let a disabled user log in again; old tokens stay dead, API keys work again.")

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "The user's e-mail.") var email: String

    func run() throws {
        try UsersCommand.perform(options) { service throws(UserService.Failure) in
            try service.setDisabled(false, email: email)
        }
        print("enabled \(Output.printable(email))")
    }
}
