/// Verifies tokens (RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725).
///
/// Shard-confined: it reuses hash and key contexts and its decoding buffers. What an unverified token can make it do is
/// bounded: 16 KiB are decoded, and at most eight signatures checked for each issuer.
public final class TokenVerifier {
    /// How many keys are tried for a token that names none.
    private static let candidatesAtMost = 8

    /// Longer headers are read anew each time.
    private static let rememberedHeaderAtMost = 1024

    /// One key with one of its algorithms.
    private final class Candidate {
        let algorithm: SignatureAlgorithm
        let keyID: String?
        let verifier: SignatureVerifier

        init(algorithm: SignatureAlgorithm, keyID: String?, verifier: SignatureVerifier) {
            self.algorithm = algorithm
            self.keyID = keyID
            self.verifier = verifier
        }
    }

    /// One issuer.
    private final class Block {
        let rules: ClaimRules
        let keysAreNamed: Bool
        let keysAreRemote: Bool
        let candidates: [Candidate]

        init(_ issuer: TokenIssuer, index: Int, candidates: [Candidate]) {
            rules = ClaimRules(issuer: issuer, index: index)
            keysAreNamed = issuer.keysAreNamed
            keysAreRemote = issuer.keysAreRemote
            self.candidates = candidates
        }
    }

    private let blocks: [Block]
    private let digests = DigestSet()
    private var headerBytes: [UInt8] = []
    private var payloadBytes: [UInt8] = []
    private var signatureBytes: [UInt8] = []
    /// The last header that could be read, as it stood in its token: an issuer's tokens nearly all have the same.
    private var lastHeader: (text: [UInt8], header: TokenHeader)?

    /// A verifier for the tokens of these issuers. A key that OpenSSL does not take vouches for nothing.
    public init(issuers: [TokenIssuer]) {
        let digests = digests
        blocks = issuers.enumerated().map { index, issuer in
            var candidates: [Candidate] = []
            for key in issuer.keys {
                for algorithm in key.algorithms where issuer.algorithms.contains(algorithm) {
                    guard let verifier = try? SignatureVerifier(key: key, algorithm: algorithm, digests: digests) else {
                        continue
                    }
                    candidates.append(Candidate(algorithm: algorithm, keyID: key.keyID, verifier: verifier))
                }
            }
            return Block(issuer, index: index, candidates: candidates)
        }
    }

    /// Verifies a token at `now`, in seconds since 1970.
    public func verify(_ token: Span<UInt8>, now: Int64) -> Result<VerifiedClaims, TokenFailure> {
        do throws(TokenFailure) {
            return .success(try check(token, now: now))
        } catch {
            return .failure(error)
        }
    }

    private func check(_ token: Span<UInt8>, now: Int64) throws(TokenFailure) -> VerifiedClaims {
        guard let parts = TokenParts(token) else { throw .invalid("not three segments of at most 16 KiB together") }
        let header = try header(token.extracting(parts.header))
        try decode(token.extracting(parts.signature), into: &signatureBytes)
        let payload = token.extracting(parts.payload)
        let message = token.extracting(parts.signingInput)
        var claims: JSONObject?
        var failure: TokenFailure?
        for block in blocks where isSigned(message, with: header, in: block) {
            do throws(TokenFailure) {
                let parsed = if let claims { claims } else { try parseClaims(payload) }
                claims = parsed
                return try block.rules.judge(parsed, now: now)
            } catch {
                // Blocks may share a key. The one that came further knows better what is wrong with the token.
                if failure == nil || failure?.isInvalid == true { failure = error }
            }
        }
        if let failure { throw failure }
        if let missing = missingKey(of: header, payload) { throw missing }
        throw .invalid("no key for it, or the signature does not match")
    }

    /// Whether an issuer whose keys are fetched may have the key that the token needs. What the token says of its issuer is not
    /// proven; it only keeps one issuer's tokens from having another's keys fetched.
    private func missingKey(of header: TokenHeader, _ payload: Span<UInt8>) -> TokenFailure? {
        var claims: JSONObject?
        for (index, block) in blocks.enumerated() where block.keysAreRemote {
            guard block.rules.issuer.algorithms.contains(header.algorithm) else { continue }
            let isKnown = block.candidates.contains { candidate in
                guard let wanted = header.keyID else { return true }
                return candidate.keyID?.hasSameBytes(as: wanted) ?? false
            }
            if isKnown { continue }
            if claims == nil { claims = try? parseClaims(payload) }
            guard let claims else { return nil }
            if let wanted = block.rules.issuer.issuer {
                guard let name = claims["iss"]?.string, name.hasSameBytes(as: wanted) else { continue }
            }
            return .keyUnknown(issuer: index, hasKeys: !block.candidates.isEmpty)
        }
        return nil
    }

    private func isSigned(_ message: Span<UInt8>, with header: TokenHeader, in block: Block) -> Bool {
        let signature = signatureBytes
        var tried = 0
        for candidate in block.candidates where candidate.algorithm == header.algorithm {
            if block.keysAreNamed, let wanted = header.keyID {
                guard let name = candidate.keyID, name.hasSameBytes(as: wanted) else { continue }
            }
            if tried == Self.candidatesAtMost { return false }
            tried += 1
            if candidate.verifier.verify(signature.span, of: message, digests: digests) { return true }
        }
        return false
    }

    private func header(_ text: Span<UInt8>) throws(TokenFailure) -> TokenHeader {
        if let lastHeader, ByteWords.equal(lastHeader.text, text) { return lastHeader.header }
        try decode(text, into: &headerBytes)
        let bytes = headerBytes
        let header = try TokenHeader(bytes.span)
        if text.count <= Self.rememberedHeaderAtMost {
            lastHeader = (unsafe text.withUnsafeBufferPointer { unsafe Array($0) }, header)
        }
        return header
    }

    private func parseClaims(_ text: Span<UInt8>) throws(TokenFailure) -> JSONObject {
        try decode(text, into: &payloadBytes)
        let bytes = payloadBytes
        guard let claims = (try? JSONReader.parse(bytes.span))?.object else {
            throw .invalid("the claims are not acceptable JSON")
        }
        return claims
    }

    private func decode(_ text: Span<UInt8>, into bytes: inout [UInt8]) throws(TokenFailure) {
        guard Base64URL.decode(text, into: &bytes) else { throw .invalid("a segment is not canonical base64url") }
    }
}

extension TokenFailure {
    fileprivate var isInvalid: Bool {
        if case .invalid = self { true } else { false }
    }
}
