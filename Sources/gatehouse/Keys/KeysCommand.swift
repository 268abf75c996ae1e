import ArgumentParser
import Configuration
import HTTP
import Identity
import Policy

/// `gatehouse keys`
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list, rotate and revoke API keys.",
        discussion: "A running gateway on the same store acts on a change within revocation_lag.",
        subcommands: [KeysCreateCommand.self, KeysListCommand.self, KeysRotateCommand.self, KeysRevokeCommand.self])

    func run() throws {
        throw CommandFailure(
            status: CommandFailure.wrongUsage, message: Gatehouse.helpMessage(for: KeysCommand.self))
    }

    /// Carries out an operation on the configured store's keys.
    static func perform<Result>(
        _ options: ConfigurationOption, _ operation: (KeyService) throws(KeyServiceError) -> Result
    ) throws -> Result {
        let configuration = try options.load()
        let service = KeyService(store: try StoreAccess.required(configuration), prefix: configuration.keyPrefix)
        do throws(KeyServiceError) { return try operation(service) } catch { throw failure(error) }
    }

    private static func failure(_ error: KeyServiceError) -> CommandFailure {
        switch error {
        case .invalid(let field, let reason):
            CommandFailure(status: CommandFailure.wrongUsage, message: "error: \(field) \(reason)")
        case .unknownKey(let id): CommandFailure("there is no key \(id); 'gatehouse keys list' shows the ids")
        case .revoked(let id, let time):
            CommandFailure("key \(id) was revoked \(HTTPDate.iso8601(time)); create a new one")
        case .expired(let id, let time): CommandFailure("key \(id) expired \(HTTPDate.iso8601(time)); create a new one")
        case .rotated(let id, let end):
            CommandFailure(
                "key \(id) was rotated before and works until \(HTTPDate.iso8601(end)); rotate its successor")
        case .store(let error): CommandFailure(error.message)
        }
    }

    /// Prints a key that has just been made.
    static func show(_ key: KeyObject, asJSON: Bool) {
        if asJSON { return Output.json(key.json) }
        print(
            """
            id       \(key.id)
            agent    \(key.agentID)
            owner    \(key.ownerID)
            name     \(Output.printable(key.name))
            expires  \(key.expiresAt.map(HTTPDate.iso8601) ?? "never")
            rate     \(key.limits.rate?.text ?? "unlimited")
            quota    \(key.limits.quota?.text ?? "unlimited")
            key      \(key.key ?? "")
            """)
        Output.error("The key is shown only now: the store keeps its SHA-256.")
    }
}
