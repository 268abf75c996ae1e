import ArgumentParser
import Configuration
import HTTP
import Identity
import JOSE
import Policy

/// `gatehouse keys list`
struct KeysListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List API keys: ids and how they start, never the keys.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Option(help: ArgumentHelp("Only this agent's keys.", valueName: "id")) var agent: String?

    func run() throws {
        let keys = try KeysCommand.perform(options) { service throws(KeyServiceError) in
            try service.list(agentID: agent, now: WallClock.now)
        }
        if output.json { return Output.json(["keys": .array(keys.map { .object($0.json) })]) }
        func time(_ seconds: Int64?) -> String { seconds.map(HTTPDate.iso8601) ?? "-" }
        Output.table(
            [
                "ID", "NAME", "PREFIX", "AGENT", "OWNER", "CREATED", "EXPIRES", "LAST USED", "REVOKED", "RATE", "QUOTA",
                "TODAY", "MONTH",
            ],
            keys.map { key in
                [
                    key.id, key.name, key.prefix, key.agentID, key.ownerID, time(key.createdAt), time(key.expiresAt),
                    time(key.lastUsedAt), time(key.revokedAt), key.limits.rate?.text ?? "-",
                    key.limits.quota?.text ?? "-",
                    "\(key.usedToday)", "\(key.usedThisMonth)",
                ]
            })
    }
}
