internal import Synchronization

/// The answers to refreshes of a moment ago, so that every racer gets the very bytes of the first. What is not here, after a
/// restart for one, is written again from the store's pair; only signatures with a random part differ then.
final class SuccessorCache: Sendable {
    /// Answers kept at most; the oldest leave first.
    static let capacity = 4_096

    private struct State {
        var answers: [String: IssuedTokens] = [:]
        var order: [String] = []
        var oldest = 0
    }

    private let state = Mutex(State())

    /// The tokens that were made for the pair with this refresh token's id, or those that `make` makes now.
    func tokens<Failure: Error>(
        for pair: TokenPair, make: () throws(Failure) -> IssuedTokens
    ) throws(Failure) -> IssuedTokens {
        if let known = state.withLock({ $0.answers[pair.refreshID] }) { return known }
        let fresh = try make()
        state.withLock { state in
            guard state.answers.updateValue(fresh, forKey: pair.refreshID) == nil else { return }
            if state.order.count < Self.capacity {
                state.order.append(pair.refreshID)
            } else {
                state.answers[state.order[state.oldest]] = nil
                state.order[state.oldest] = pair.refreshID
                state.oldest = (state.oldest + 1) % Self.capacity
            }
        }
        return fresh
    }
}
