internal import JOSE
internal import Synchronization
internal import Transport

/// What the operator hears of one issuer's keys: each thing once, and what goes on now and then again.
final class KeyJournal: Sendable {
    /// Keys of one set that are reported as doubtful.
    private static let doubtsAtMost = 8
    /// Nanoseconds until a failure is reported again.
    private static let interval: Int64 = 60_000_000_000

    private struct State {
        var failure: (reason: ProviderFailure, at: MonotonicTime)?
        var isFailing = false
        var hasToldOfFile = false
        var doubted: Digest256?
    }

    private let issuer: String
    private let report: @Sendable (KeyWatch.Event) -> Void
    private let state = Mutex(State())

    init(issuer: String, report: @escaping @Sendable (KeyWatch.Event) -> Void) {
        self.issuer = issuer
        self.report = report
    }

    /// A set was fetched.
    func succeeded() {
        let wasFailing = state.withLock { state in
            defer { (state.isFailing, state.failure) = (false, nil) }
            return state.isFailing
        }
        if wasFailing { report(.recovered(issuer: issuer)) }
    }

    /// None was.
    func failed(_ reason: ProviderFailure, hasKeys: Bool, retryAfter wait: Int64) {
        let now = MonotonicTime.now()
        let isNews = state.withLock { state in
            state.isFailing = true
            if let told = state.failure, told.reason == reason, now.nanoseconds(since: told.at) < Self.interval {
                return false
            }
            state.failure = (reason, now)
            return true
        }
        guard isNews else { return }
        report(.failed(issuer: issuer, reason: reason.description, hasKeys: hasKeys, retryAfter: wait))
    }

    /// The set could not be kept on disk.
    func couldNotKeep(_ reason: ProviderFailure) {
        let wasTold = state.withLock { state in
            defer { state.hasToldOfFile = true }
            return state.hasToldOfFile
        }
        if !wasTold { report(.notKept(issuer: issuer, reason: reason.description)) }
    }

    /// Keys of a set were passed over, or look wrong.
    func doubts(_ warnings: [String], of set: [UInt8]) {
        guard !warnings.isEmpty else { return }
        let digest = SHA256().hash(set.span)
        let wasTold = state.withLock { state in
            defer { state.doubted = digest }
            return state.doubted == digest
        }
        if wasTold { return }
        for warning in warnings.prefix(Self.doubtsAtMost) { report(.doubtful(issuer: issuer, reason: warning)) }
        let rest = warnings.count - Self.doubtsAtMost
        if rest > 0 { report(.doubtful(issuer: issuer, reason: "\(rest) more keys are passed over")) }
    }
}
