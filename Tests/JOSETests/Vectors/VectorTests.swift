import Testing

@testable import JOSE

@Suite struct VectorTests {
    @Test(arguments: RFCVectors.all + IndependentVectors.all)
    func `a published or independent signature verifies, and not when one bit of message or signature differs`(
        vector: SignatureVector
    ) throws {
        let set = try KeySet.jwks([UInt8](vector.key.utf8), algorithms: SignatureAlgorithm.allCases)
        let key = try #require(set.keys.first)
        let digests = DigestSet()
        let verifier = try SignatureVerifier(key: key, algorithm: vector.algorithm, digests: digests)
        var token = [UInt8](vector.token.utf8)
        let found = TokenParts(token.span)
        let parts = try #require(found)
        var signature: [UInt8] = []
        let isCanonical = Base64URL.decode(token.span.extracting(parts.signature), into: &signature)
        #expect(isCanonical)

        // Twice: contexts are used again.
        for _ in 0..<2 {
            let isGood = verifier.verify(
                signature.span, of: token.span.extracting(parts.signingInput), digests: digests)
            #expect(isGood)
        }
        token[10] ^= 1
        let hasOtherMessage = verifier.verify(
            signature.span, of: token.span.extracting(parts.signingInput), digests: digests)
        #expect(!hasOtherMessage)
        token[10] ^= 1
        for place in [0, signature.count / 2, signature.count - 1] {
            signature[place] ^= 1
            let hasOtherSignature = verifier.verify(
                signature.span, of: token.span.extracting(parts.signingInput), digests: digests)
            #expect(!hasOtherSignature, "byte \(place)")
            signature[place] ^= 1
        }
        let isGoodAgain = verifier.verify(
            signature.span, of: token.span.extracting(parts.signingInput), digests: digests)
        #expect(isGoodAgain, "a failure leaves the context usable")
    }

    @Test(arguments: IndependentVectors.all)
    func `a whole token of another implementation is accepted`(vector: SignatureVector) throws {
        let set = try KeySet.jwks([UInt8](vector.key.utf8), algorithms: [vector.algorithm])
        let issuer = TokenIssuer(name: "jwks", algorithms: [vector.algorithm], keys: set.keys, keysAreNamed: true)
        #expect(outcome([UInt8](vector.token.utf8), at: issuer) == .user("user-1"))
    }

    @Test func `RFC 7515 A.1 is refused as expired, and good in its time`() throws {
        let vector = RFCVectors.all[0]
        let set = try KeySet.jwks([UInt8](vector.key.utf8), algorithms: [.hs256])
        let issuer = TokenIssuer(
            name: "joe", issuer: "joe", algorithms: [.hs256], keys: set.keys, userIDClaims: ["iss"], leeway: 0)
        #expect(outcome([UInt8](vector.token.utf8), at: issuer, now: 1_300_819_379) == .user("joe"))
        #expect(outcome([UInt8](vector.token.utf8), at: issuer, now: 1_300_819_380) == .expired(1_300_819_380))
    }
}
