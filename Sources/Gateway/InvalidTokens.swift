import Logging
import Observability

/// Counts one shard's tokens that were refused as invalid, by reason, of which the program has few, and hands them on to the log
/// now and then: who sends bad tokens does not make others wait for it.
struct InvalidTokens {
    /// Nanoseconds between two looks at the common log.
    private static let interval: Int64 = 1_000_000_000

    private var reasons: [String: (count: Int, toldAt: Int64)] = [:]

    /// A token was refused at `now` in monotonic nanoseconds.
    mutating func note(_ reason: StaticString, requestID: @autoclosure () -> String, now: Int64, to log: RepeatedLog) {
        let text = reason.description
        var known = reasons[text] ?? (0, now - Self.interval)
        known.count += 1
        if now - known.toldAt >= Self.interval {
            log.warning(
                "a token was refused as token_invalid: \(text)", times: known.count,
                metadata: ["request_id": "\(requestID())"],
                now: now)
            known = (0, now)
        }
        reasons[text] = known
    }
}
