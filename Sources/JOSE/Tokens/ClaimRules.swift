/// What the claims of a token must be like for one issuer, once its signature is known to be good (RFC 7519 §4.1).
struct ClaimRules {
    /// The end of the year 9999: later times are cut to it, so that adding to them or printing them cannot overflow.
    static let latest: Int64 = 253_402_300_799
    /// Whole seconds that a double still holds exactly.
    private static let largestDouble = 9_007_199_254_740_992.0
    private static let userIDSize = 1...256

    let issuer: TokenIssuer
    let index: Int
    /// A JWT without `exp` would live for ever; an opaque token is asked about again.
    var needsExpiry = true

    /// The claims, judged at `now`. What the token is comes before when it is valid.
    func judge(_ claims: JSONObject, now: Int64) throws(TokenFailure) -> VerifiedClaims {
        try checkIssuerAndAudience(claims)
        let expiresAt = try expiry(claims)
        let notBefore = try notBefore(claims)
        let user = try userID(claims)
        let session = try identifier(claims["sid"])
        let token = try identifier(claims["jti"])
        for requirement in issuer.requirements where !claims.holds(requirement.claim, anyOf: requirement.values) {
            if requirement.claim == "token_type" {
                throw .wrongType(expected: requirement.values.joined(separator: " or "))
            }
            throw .invalid("a required claim is missing or has another value")
        }
        // RFC 7519 §4.1.4: not on or after exp.
        if now - issuer.leeway >= expiresAt { throw .expired(at: expiresAt) }
        if let notBefore, now + issuer.leeway < notBefore { throw .notYetValid(from: notBefore) }
        return VerifiedClaims(
            issuerIndex: index, userID: user, expiresAt: expiresAt, leeway: issuer.leeway, sessionID: session,
            tokenID: token, issuedAt: claims["iat"].flatMap(Self.seconds), claims: claims)
    }

    private func checkIssuerAndAudience(_ claims: JSONObject) throws(TokenFailure) {
        if let wanted = issuer.issuer {
            guard let name = claims["iss"]?.string, name.hasSameBytes(as: wanted) else {
                throw .invalid("iss is missing or another")
            }
        }
        if issuer.audience.isEmpty { return }
        let audience: [JSONValue]
        switch claims["aud"] {
        case .string(let name): audience = [.string(name)]
        case .array(let names): audience = names
        default: throw .invalid("aud is missing or mistyped")
        }
        // RFC 7519 §4.1.3: an array of strings; one that holds something else is no audience at all.
        let names = audience.compactMap(\.string)
        guard names.count == audience.count else { throw .invalid("aud is missing or mistyped") }
        guard names.contains(where: { name in issuer.audience.contains { $0.hasSameBytes(as: name) } }) else {
            throw .invalid("aud does not name this audience")
        }
    }

    private func expiry(_ claims: JSONObject) throws(TokenFailure) -> Int64 {
        guard let value = claims["exp"] else {
            if !needsExpiry { return Self.latest }
            throw .invalid("exp is missing")
        }
        guard let seconds = Self.seconds(value) else { throw .invalid("exp is not a time") }
        return seconds
    }

    private func notBefore(_ claims: JSONObject) throws(TokenFailure) -> Int64? {
        guard let value = claims["nbf"] else { return nil }
        guard let seconds = Self.seconds(value) else { throw .invalid("nbf is not a time") }
        return seconds
    }

    /// A NumericDate (RFC 7519 §2): fractions are cut off, and it is never before 1970.
    private static func seconds(_ value: JSONValue) -> Int64? {
        switch value {
        case .integer(let seconds): seconds >= 0 ? min(seconds, latest) : nil
        case .number(let seconds): seconds >= 0 && seconds < largestDouble ? min(Int64(seconds), latest) : nil
        default: nil
        }
    }

    /// The first of the claims that is present decides: falling through to another would let a broken id become
    /// somebody else's.
    private func userID(_ claims: JSONObject) throws(TokenFailure) -> String {
        for name in issuer.userIDClaims {
            switch claims[name] {
            case nil: continue
            case .integer(let number) where number >= 0: return String(number)
            case .string(let text) where Self.isHeaderSafe(text): return text
            default: throw .invalid("the user id is not one to 256 visible ASCII characters or an integer")
            }
        }
        throw .invalid("the user id is missing")
    }

    /// It becomes a header's value: nothing that could end the line, hide in it, or be trimmed off.
    private static func isHeaderSafe(_ text: String) -> Bool {
        userIDSize.contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    /// `sid` and `jti` are what revocation goes by, so that one that cannot be looked up is refused.
    private func identifier(_ value: JSONValue?) throws(TokenFailure) -> String? {
        switch value {
        case nil, .null: return nil
        case .string(let text): return text
        case .integer(let number): return String(number)
        default: throw .invalid("sid or jti is mistyped")
        }
    }
}
