import ArgumentParser
import Configuration
import JOSE
import Policy

/// `gatehouse routes`
struct RoutesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes", abstract: "Print the effective table: method, pattern, who may pass, upstream.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption

    func run() throws {
        let configuration = try options.load()
        if output.json {
            let routes = configuration.routes.map { JSONValue.object(json($0, configuration)) }
            return Output.json(["routes": .array(routes), "endpoints": .array(endpoints(configuration))])
        }
        let own = OwnEndpoints(configuration).rows.map { row in
            [
                "", row.methods.filter { $0 != " " }, row.pattern, row.isPublic ? "everybody" : "jwt",
                "gatehouse: \(row.name)",
            ]
        }
        Output.table(
            ["HOST", "METHOD", "PATTERN", "WHO MAY PASS", "UPSTREAM"],
            own
                + configuration.routes.map { route in
                    let methods = route.methods.isEmpty ? "*" : route.methods.joined(separator: ",")
                    let upstream = configuration.upstreams[route.upstream]
                    let servers = upstream.servers.map(\.text).joined(separator: " ")
                    return [
                        route.host ?? "", methods, route.pattern.text, whoMayPass(route),
                        "\(upstream.name) (\(servers))",
                    ]
                })
    }

    private func endpoints(_ configuration: Configuration) -> [JSONValue] {
        OwnEndpoints(configuration).rows.map { row in
            .object([
                "methods": .array(row.methods.split(separator: ", ").map { .string(String($0)) }),
                "pattern": .string(row.pattern), "accept": .array([.string(row.isPublic ? "none" : "jwt")]),
                "endpoint": .string(row.name),
            ])
        }
    }

    private func whoMayPass(_ route: Route) -> String {
        if route.isPublic { return "everybody" }
        let kinds = route.accept.names.map { kind in
            switch kind {
            case "api_key": route.agentParameter.map { "api_key of {\($0)}" } ?? kind
            case "jwt" where route.acceptsTicket: "jwt (or its ticket)"
            default: kind
            }
        }
        let requirements = route.requirements.map { " with \($0.claim) \($0.values.joined(separator: "|"))" }
        let limits = [route.rateLimit?.text, route.quota?.text].compactMap(\.self).map { " at most \($0)" }
        return kinds.joined(separator: " or ") + requirements.joined(separator: " and")
            + limits.joined(separator: " and")
    }

    private func json(_ route: Route, _ configuration: Configuration) -> JSONObject {
        let upstream = configuration.upstreams[route.upstream]
        func strings(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }
        return [
            "host": route.host.map { .string($0) } ?? .null, "methods": strings(route.methods),
            "pattern": .string(route.pattern.text), "accept": strings(route.isPublic ? ["none"] : route.accept.names),
            "acceptQuery": route.acceptsTicket ? .string("token") : .null,
            "agent": route.agentParameter.map { .string($0) } ?? .null,
            "require": .array(
                route.requirements.map { .object(["claim": .string($0.claim), "values": strings($0.values)]) }),
            "upstream": .string(upstream.name), "servers": strings(upstream.servers.map(\.text)),
            "rateLimit": route.rateLimit.map { .string("\($0.text) by=\($0.subject.rawValue)") } ?? .null,
            "quota": route.quota.map { .string("\($0.text) by=\($0.subject.rawValue)") } ?? .null,
            "cors": strings(route.cors?.origins.map(\.text) ?? []), "inject": strings(route.injections.map(\.name)),
            "place": .string(route.position.text),
        ]
    }
}
