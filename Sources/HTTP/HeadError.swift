/// Why a head or a chunked body cannot be accepted. The sender is at fault in every case.
public enum HeadError: Error, Sendable {
    /// Against the grammar, or ambiguous. The text is shown as `reason` in the answer's details.
    case malformed(StaticString)
    /// More bytes than the limit.
    case headTooLarge(limit: Int)
    /// More field lines than the limit.
    case tooManyFields(limit: Int)
    /// A longer target than the limit.
    case targetTooLong(limit: Int)
    /// A version other than 1.0 and 1.1.
    case unsupportedVersion
    /// An `Expect` other than `100-continue`.
    case expectationFailed
    /// Two `Authorization` lines: which of them counts is not for us to guess.
    case repeatedAuthorization

    /// What a client is answered. For an upstream's head it is the reason in the log; the client gets 502.
    public var refusal: Refusal {
        switch self {
        case .malformed(let reason): .badRequest(field: nil, reason: "\(reason)")
        case .headTooLarge(let limit), .tooManyFields(let limit): .headersTooLarge(limit: limit)
        case .targetTooLong(let limit): .uriTooLong(limit: limit)
        case .unsupportedVersion: .badRequest(field: nil, reason: "HTTP version other than 1.0 and 1.1")
        case .expectationFailed: .expectationFailed
        case .repeatedAuthorization:
            .badRequest(field: "authorization", reason: "sent more than once", aboutCredential: true)
        }
    }
}

extension HeadError: Equatable {
    /// The same kind, with the same text or limit.
    public static func == (left: HeadError, right: HeadError) -> Bool {
        switch (left, right) {
        case (.malformed(let one), .malformed(let other)): "\(one)" == "\(other)"
        case (.headTooLarge(let one), .headTooLarge(let other)): one == other
        case (.tooManyFields(let one), .tooManyFields(let other)): one == other
        case (.targetTooLong(let one), .targetTooLong(let other)): one == other
        case (.unsupportedVersion, .unsupportedVersion): true
        case (.expectationFailed, .expectationFailed): true
        case (.repeatedAuthorization, .repeatedAuthorization): true
        default: false
        }
    }
}
