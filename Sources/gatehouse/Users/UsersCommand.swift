import ArgumentParser
import Configuration
import HTTP
import Identity
import JOSE

/// `gatehouse users`
struct UsersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users", abstract: "Add, list, disable and enable people who log in.",
        discussion: "A running gateway on the same store acts on a change within revocation_lag.",
        subcommands: [
            UsersAddCommand.self, UsersListCommand.self, UsersDisableCommand.self, UsersEnableCommand.self,
            UsersSetPasswordCommand.self, UsersImportCommand.self,
        ])

    func run() throws {
        throw CommandFailure(
            status: CommandFailure.wrongUsage, message: Gatehouse.helpMessage(for: UsersCommand.self))
    }

    /// Carries out an operation on the configured store's users.
    static func perform<Result>(
        _ options: ConfigurationOption, _ operation: (UserService) throws(UserService.Failure) -> Result
    ) throws -> Result {
        let configuration = try options.load()
        let service = UserService(
            store: try StoreAccess.required(configuration), accessTTL: configuration.identity?.accessTTL ?? 0)
        do throws(UserService.Failure) { return try operation(service) } catch { throw failure(error) }
    }

    private static func failure(_ error: UserService.Failure) -> CommandFailure {
        switch error {
        case .invalid(let field, let reason):
            CommandFailure(status: CommandFailure.wrongUsage, message: "error: \(field) \(reason)")
        case .taken(let field, let value):
            CommandFailure("there is a user with the \(field) \(Output.printable(value)) already")
        case .unknown(let email):
            CommandFailure("there is no user \(Output.printable(email)); 'gatehouse users list' shows them")
        case .store(let error): CommandFailure(error.message)
        }
    }

    /// The object that `--json` prints; never the hash of the password.
    static func json(_ user: User) -> JSONObject {
        func time(_ seconds: Int64?) -> JSONValue { seconds.map { .string(HTTPDate.iso8601($0)) } ?? .null }
        return [
            "id": .string(user.id), "email": .string(user.email), "firstName": .string(user.firstName),
            "lastName": .string(user.lastName), "createdAt": time(user.createdAt), "disabledAt": time(user.disabledAt),
            "passwordChangedAt": time(user.passwordChangedAt),
        ]
    }
}
