import Dispatch
import Identity
import Observability
import Transport

/// What the admin listener is asked.
extension Server {
    func collectMetrics(_ answer: @escaping @Sendable (LocalAnswer) -> Void) {
        control.async { [self] in
            var renderer = MetricsRenderer()
            renderer.succeededReloads = succeededReloads
            renderer.failedReloads = failedReloads
            renderer.isStoreUp = follower?.isAnswered
            renderer.droppedLogLines = accessLog?.droppedLines ?? 0
            renderer.process = ProcessFigures.read()
            renderer.providers = ProviderReport.sum(providers.reports, formerReports)
            let base = renderer
            ShardSurvey.ask(workers, { ($0.snapshot(), $0.upstreamStates()) }) { answers in
                var merged = MetricsSnapshot()
                for (snapshot, _) in answers { merged.merge(snapshot) }
                var renderer = base
                renderer.upstreams = UpstreamReport.merge(answers.map(\.1))
                answer(
                    LocalAnswer(status: 200, contentType: MetricsRenderer.contentType, body: renderer.render(merged)))
            }
        }
    }

    func collectReadiness(_ answer: @escaping @Sendable (LocalAnswer) -> Void) {
        control.async { [self] in
            let (isDraining, isSilent) = (isDraining, known.isSilent)
            let probe = probe
            ShardSurvey.ask(workers, { $0.upstreamStates() }) { answers in
                let states = UpstreamReport.checks(UpstreamReport.merge(answers))
                let draining = ("draining", isDraining ? "failed" : "ok")
                guard let probe else { return answer(Self.readiness([draining] + states)) }
                probe.ask { isUsable in
                    answer(Self.readiness([draining, ("store", isUsable && !isSilent ? "ok" : "failed")] + states))
                }
            }
        }
    }

    private static func readiness(_ checks: [(String, String)]) -> LocalAnswer {
        let isReady = checks.allSatisfy { $0.1 == "ok" }
        let members = checks.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        return .json(isReady ? 200 : 503, "{\"status\":\"\(isReady ? "ok" : "unavailable")\",\"checks\":{\(members)}}")
    }
}
