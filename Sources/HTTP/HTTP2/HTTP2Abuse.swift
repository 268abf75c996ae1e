/// Counts what costs us more than the peer: resets (CVE-2023-44487, CVE-2025-8671) and frames without data or effect
/// (CVE-2019-9511 to 9518), each with a budget that fills up again over `period`.
struct HTTP2Abuse {
    /// Seconds in which a whole budget comes back.
    static let period: Int64 = 10

    enum Kind {
        case resets, controlFrames
    }

    private struct Budget {
        let size: Int64
        var left: Int64
        var since: Int64

        mutating func spend(_ now: Int64) -> Bool {
            let refill = (now - since) * size / (HTTP2Abuse.period * 1_000_000_000)
            if refill > 0 {
                left = min(size, left + refill)
                since = now
            }
            left -= 1
            return left >= 0
        }
    }

    private var resets: Budget
    private var controlFrames: Budget
    private var continuations = 0
    /// A budget is used up.
    private(set) var exceeded: Kind?

    init(_ settings: HTTP2Settings, now: Int64) {
        resets = Budget(size: Int64(settings.resets), left: Int64(settings.resets), since: now)
        controlFrames = Budget(size: Int64(settings.controlFrames), left: Int64(settings.controlFrames), since: now)
    }

    /// A header block begins.
    mutating func blockBegins() { continuations = 0 }

    /// It goes on in a further frame: no honest block needs many (CVE-2024-27316).
    mutating func blockGoesOn() {
        continuations += 1
        if continuations > Self.continuationsAtMost { exceeded = .controlFrames }
    }

    /// CONTINUATION frames of one header block.
    static let continuationsAtMost = 8

    /// Data of a useful size went out: the peer may open its windows again for it. Pieces of a few bytes, which a peer can
    /// ask for by small windows (CVE-2019-9511), are not worth that.
    mutating func notePayload(_ count: Int) {
        if count >= Self.usefulPayload { earn(Self.framesForPayload) }
    }

    /// A message went out to its end: however short, an honest peer opens two windows for it, and may measure the way with a PING.
    mutating func noteMessage() { earn(Self.framesForMessage) }

    private mutating func earn(_ frames: Int64) {
        controlFrames.left = min(controlFrames.size, controlFrames.left + frames)
    }

    private static let usefulPayload = 256
    private static let framesForPayload: Int64 = 3
    private static let framesForMessage: Int64 = 4

    mutating func note(_ kind: Kind, now: Int64) {
        guard exceeded == nil else { return }
        let isWithin = kind == .resets ? resets.spend(now) : controlFrames.spend(now)
        if !isWithin { exceeded = kind }
    }
}
