public import Logging
internal import Synchronization

/// Log lines about what may happen any number of times a second: the first of a kind at once, further ones a minute after the last line
/// at the earliest, when it happens again; that one says how often it has. Bounded by `kindsAtMost`: of more at a time, the further ones are left out.
public final class RepeatedLog: Sendable {
    /// Kinds that are remembered at most.
    public static let kindsAtMost = 256
    /// Nanoseconds between two lines of a kind.
    public static let interval: Int64 = 60_000_000_000

    private struct Kind {
        var saidAt: Int64
        var times = 0
    }

    private let logger: Logger
    private let kinds = Mutex<[String: Kind]>([:])

    /// Lines of this logger.
    public init(_ logger: Logger) { self.logger = logger }

    /// It happened `times` more, at `now` in monotonic nanoseconds. Its text is its kind.
    public func warning(_ text: String, times: Int = 1, metadata: Logger.Metadata = [:], now: Int64) {
        guard let count = kinds.withLock({ Self.count(&$0, text, times, now) }) else { return }
        logger.warning("\(text)", metadata: count == 1 ? metadata : metadata.merging(["times": "\(count)"]) { $1 })
    }

    /// How often it happened since it was last said, where it is to be said now.
    private static func count(_ kinds: inout [String: Kind], _ text: String, _ times: Int, _ now: Int64) -> Int? {
        if var kind = kinds[text] {
            kind.times += times
            defer { kinds[text] = kind }
            guard now - kind.saidAt >= interval else { return nil }
            defer { kind = Kind(saidAt: now) }
            return kind.times
        }
        if kinds.count >= kindsAtMost { kinds = kinds.filter { now - $0.value.saidAt < interval } }
        guard kinds.count < kindsAtMost else { return nil }
        kinds[text] = Kind(saidAt: now)
        return times
    }
}
