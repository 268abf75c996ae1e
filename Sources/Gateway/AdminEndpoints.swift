import Configuration
import HTTP
import Observability
import Transport

/// What operators ask on `admin`: `/readyz`, `/metrics`, `/routes`. (`/healthz` is answered everywhere.)
enum AdminEndpoints {
    static func answer(_ exchange: Exchange, _ bytes: Span<UInt8>) {
        guard exchange.head.method == .get || exchange.head.method == .head else {
            return exchange.refuse(.methodNotAllowed(allowed: "GET, HEAD"))
        }
        let path = bytes.extracting(exchange.head.path.range)
        if TextMatch.isPath(path, "/metrics") { return later(exchange) { $0.metrics } }
        if TextMatch.isPath(path, "/readyz") { return later(exchange) { $0.readiness } }
        if TextMatch.isPath(path, "/routes") {
            return exchange.answerLocally(.json(200, RouteListing.json(exchange.serving.configuration)))
        }
        exchange.refuse(.notFound)
    }

    /// Asks the server, which asks the shards, and answers when the result is back, if the request is still there.
    private static func later(
        _ exchange: Exchange, _ question: (AdminQuestions) -> (@escaping @Sendable (LocalAnswer) -> Void) -> Void
    ) {
        guard let questions = exchange.worker.questions else { return exchange.refuse(.notFound) }
        let shard = exchange.worker.shard
        let resumption = ExchangeResumption(exchange)
        question(questions)({ answer in shard.post { resumption.resume { $0.answerLocally(answer) } } })
    }
}

/// What admin requests ask of the whole process; each calls back from any queue.
struct AdminQuestions: Sendable {
    let metrics: @Sendable (@escaping @Sendable (LocalAnswer) -> Void) -> Void
    let readiness: @Sendable (@escaping @Sendable (LocalAnswer) -> Void) -> Void
}

/// The effective routes as JSON, for `/routes`.
enum RouteListing {
    static func json(_ configuration: Configuration) -> String {
        let rows = configuration.routes.map { route in
            let methods = route.methods.map { quoted($0) }.joined(separator: ",")
            let accept = (route.isPublic ? ["none"] : route.accept.names).map { quoted($0) }.joined(separator: ",")
            let host = route.host.map { "\"host\":\(quoted($0))," } ?? ""
            let upstream = quoted(configuration.upstreams[route.upstream].name)
            return
                "{\(host)\"methods\":[\(methods)],\"pattern\":\(quoted(route.pattern.text)),\"accept\":[\(accept)],\"upstream\":\(upstream)}"
        }
        return "{\"routes\":[\(rows.joined(separator: ","))]}"
    }

    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        JSONText.appendEscaped(text, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }
}
