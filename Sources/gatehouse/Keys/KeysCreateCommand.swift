import ArgumentParser
import Configuration
import Identity
import Policy

/// `gatehouse keys create`
struct KeysCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an API key for an agent; it is printed once.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Option(help: ArgumentHelp("The agent that the key speaks for.", valueName: "id")) var agent: String
    @Option(help: ArgumentHelp("The user who owns the agent.", valueName: "user")) var owner: String
    @Option(help: ArgumentHelp("What to call it.", valueName: "name")) var name = "default"
    @Option(help: ArgumentHelp("When it expires, like 2030-01-01T00:00:00Z. Default: never.", valueName: "time"))
    var expiresAt: Moment?
    @Option(help: ArgumentHelp("How fast its requests may come, like 10/s or '10/s burst=20'.", valueName: "rate"))
    var rateLimit: String?
    @Option(
        help: ArgumentHelp("How many requests it has a day or a month, like 10000/d or 500000/mo.", valueName: "count"))
    var quota: String?

    func run() throws {
        let limits = try limits()
        let key = try KeysCommand.perform(options) { service throws(KeyServiceError) in
            try service.create(
                agentID: agent, ownerID: owner, name: name, expiresAt: expiresAt?.unixSeconds, limits: limits,
                now: WallClock.now)
        }
        KeysCommand.show(key, asJSON: output.json)
    }

    private func limits() throws(CommandFailure) -> KeyLimits {
        do throws(LimitProblem) {
            return KeyLimits(
                rate: try rateLimit.map { text throws(LimitProblem) in try RateLimit(text: text) },
                quota: try quota.map { text throws(LimitProblem) in try Quota(text: text) })
        } catch {
            throw CommandFailure(
                status: CommandFailure.wrongUsage, message: "error: \(error.message); \(error.suggestion)")
        }
    }
}
