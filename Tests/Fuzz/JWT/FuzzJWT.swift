import JOSE

/// Everything in JOSE that reads bytes of strangers, with what must hold whatever they are. Single-threaded by libFuzzer.
private final class Subject: @unchecked Sendable {
    static let shared = Subject()

    private let now: Int64 = 1_700_000_000
    private let algorithms: [SignatureAlgorithm] = [.hs256, .es256, .edDSA]
    private let signer: SigningKey
    private let verifier: TokenVerifier

    private init() {
        do {
            signer = try SigningKey(secret: [UInt8]("0123456789abcdef0123456789abcdef".utf8), algorithm: .hs256)
        } catch {
            fatalError(error.message)
        }
        verifier = TokenVerifier(issuers: [
            TokenIssuer(name: "fuzz", algorithms: [.hs256], keys: [signer.verificationKey])
        ])
    }

    func feed(_ bytes: [UInt8]) {
        asToken(bytes)
        asBase64URL(bytes)
        asJSON(bytes)
        asKeySet(bytes)
    }

    private func asToken(_ bytes: [UInt8]) {
        if case .success(let claims) = verifier.verify(bytes.span, now: now) {
            check(claims)
            precondition(looksLikeJWT(bytes.span), "an accepted token that does not look like one")
        }
    }

    private func asBase64URL(_ bytes: [UInt8]) {
        var decoded: [UInt8] = []
        if Base64URL.decode(bytes.span, into: &decoded) {
            precondition([UInt8](Base64URL.encode(decoded).utf8) == bytes, "a second spelling")
        }
    }

    private func asJSON(_ bytes: [UInt8]) {
        guard let value = try? JSONReader.parse(bytes.span) else { return }
        var written: [UInt8] = []
        JSONWriter.append(value, to: &written)
        guard let again = try? JSONReader.parse(written.span) else { fatalError("what was written cannot be read") }
        precondition(again == value, "what was written reads otherwise")
        guard let object = value.object, let text = try? signer.sign(claims: object) else { return }
        let token = [UInt8](text.utf8)
        if case .success(let claims) = verifier.verify(token.span, now: now) { check(claims) }
    }

    private func asKeySet(_ bytes: [UInt8]) {
        guard let set = try? KeySet.jwks(bytes, algorithms: algorithms) else { return }
        for key in set.keys { precondition(!key.algorithms.isEmpty) }
    }

    private func check(_ claims: VerifiedClaims) {
        precondition((1...256).contains(claims.userID.utf8.count))
        precondition(claims.userID.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "a user id that is no header value")
        precondition(claims.expiresAt > now - 30, "an expired token")
    }
}

/// libFuzzer's entry.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJWT(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Subject.shared.feed(unsafe [UInt8](UnsafeBufferPointer(start: start, count: count)))
    return 0
}
