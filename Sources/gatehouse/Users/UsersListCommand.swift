import ArgumentParser
import HTTP
import Identity
import JOSE

/// `gatehouse users list`
struct UsersListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the people who log in.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption

    func run() throws {
        let users = try UsersCommand.perform(options) { service throws(UserService.Failure) in try service.list() }
        if output.json {
            return Output.json(["users": .array(users.map { .object(UsersCommand.json($0)) })])
        }
        func time(_ seconds: Int64?) -> String { seconds.map(HTTPDate.iso8601) ?? "-" }
        Output.table(
            ["ID", "E-MAIL", "FIRST NAME", "LAST NAME", "CREATED", "DISABLED", "PASSWORD CHANGED"],
            users.map { user in
                [
                    user.id, user.email, user.firstName, user.lastName, time(user.createdAt), time(user.disabledAt),
                    time(user.passwordChangedAt),
                ]
            })
    }
}
