import ArgumentParser
import Identity

/// `gatehouse users add`
struct UsersAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a person who logs in.",
        discussion: "The password comes from a prompt or, when stdin is not a terminal, from its first line.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Option(help: ArgumentHelp("What the person logs in with.", valueName: "address")) var email: String
    @Option(help: ArgumentHelp("Shown to people.", valueName: "name")) var firstName: String
    @Option(help: ArgumentHelp("Shown to people.", valueName: "name")) var lastName: String

    func run() throws {
        let password = try Passphrase.read(isNew: true)
        let user = try UsersCommand.perform(options) { service throws(UserService.Failure) in
            try service.add(email: email, firstName: firstName, lastName: lastName, password: password)
        }
        if output.json { return Output.json(UsersCommand.json(user)) }
        print("added \(Output.printable(user.email)), id \(user.id)")
    }
}
