import Configuration
import Dispatch
import Observability
import Transport

/// Asks every shard one question and collects the answers off the shards.
enum ShardSurvey {
    /// Where answers are collected.
    private static let collecting = DispatchQueue(label: "gatehouse.survey")
    /// Where they are used; that may block, on the store for one.
    private static let completing = DispatchQueue(label: "gatehouse.survey.done", attributes: .concurrent)

    static func ask<Answer: Sendable>(
        _ workers: [Worker], _ question: @escaping @Sendable (Worker) -> Answer,
        _ completion: @escaping @Sendable ([Answer]) -> Void
    ) {
        let answers = Answers<Answer>()
        let group = DispatchGroup()
        for worker in workers {
            group.enter()
            worker.shard.post {
                let answer = question(worker)
                collecting.async {
                    answers.all.append(answer)
                    group.leave()
                }
            }
        }
        group.notify(queue: collecting) {
            let all = answers.all
            completing.async { completion(all) }
        }
    }

    /// Confined to the collecting queue.
    private final class Answers<Answer: Sendable>: @unchecked Sendable {
        var all: [Answer] = []
    }
}

/// What the shards know of upstreams' servers, together.
enum UpstreamReport {
    /// A server is up when every shard thinks so of it: each sees its own failures.
    static func merge(_ reports: [[UpstreamState]]) -> [UpstreamState] {
        guard var merged = reports.first else { return [] }
        for report in reports.dropFirst() {
            for (index, state) in report.enumerated() where index < merged.count && !state.isUp {
                merged[index] = state
            }
        }
        return merged
    }

    /// One check for each upstream: it has a server that is up.
    static func checks(_ states: [UpstreamState]) -> [(String, String)] {
        var names: [String] = []
        for state in states where !names.contains(state.upstream) { names.append(state.upstream) }
        return names.map { name in
            ("upstream \(name)", states.contains { $0.upstream == name && $0.isUp } ? "ok" : "failed")
        }
    }
}

extension Worker {
    /// The servers as this shard sees them.
    func upstreamStates() -> [UpstreamState] {
        pools.flatMap { pool in
            pool.servers.map { server in
                UpstreamState(
                    upstream: pool.definition.name, server: server.text, isUp: server.isLive(shard.now))
            }
        }
    }
}
