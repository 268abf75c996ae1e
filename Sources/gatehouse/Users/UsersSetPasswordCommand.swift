import ArgumentParser
import Identity

/// `gatehouse users set-password`
struct UsersSetPasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-password", abstract: "Give a user another password; everything issued before is dead.",
        discussion: "The password comes from a prompt or, when stdin is not a terminal, from its first line.")

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "The user's e-mail.") var email: String

    func run() throws {
        let password = try Passphrase.read(isNew: true)
        try UsersCommand.perform(options) { service throws(UserService.Failure) in
            try service.setPassword(password, email: email)
        }
        print("changed the password of \(Output.printable(email))")
    }
}
