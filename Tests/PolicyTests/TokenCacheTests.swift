import HTTP
import JOSE
import Testing

@testable import Policy

/// threats.md: "the verified-token cache".
struct TokenCacheTests {
    private let now = Samples.now

    @Test func aTokenIsVerifiedOnce() throws {
        let authenticator = try Samples.authenticator()
        let token = "Bearer \(try Samples.token())"
        let first = try #require(authenticator.principal(token))
        #expect(authenticator.cacheHits == 0 && authenticator.cacheMisses == 1)
        let second = try #require(authenticator.principal(token))
        #expect(first === second)
        #expect(authenticator.cacheHits == 1 && authenticator.cacheMisses == 1)
        #expect(
            authenticator.principal("bearer   " + token.dropFirst(7)) === first,
            "the spelling of the scheme is none of its")
    }

    @Test(arguments: [(Int64(0), Int64(600)), (30, 630)])
    func expiryIsCheckedOnEveryHitWithTheIssuersLeeway(leeway: Int64, end: Int64) throws {
        let authenticator = try Samples.authenticator(leeway: leeway)
        let token = "Bearer \(try Samples.token())"
        #expect(authenticator.principal(token) != nil)
        #expect(authenticator.principal(token, now: now + end - 1) != nil)
        #expect(authenticator.cacheHits == 1)
        #expect(authenticator.refusal(token, now: now + end) == .tokenExpired(at: now + 600))
    }

    @Test func thatATokenHasExpiredIsRememberedForAWhileAndUndoneByTheClockAlone() throws {
        let authenticator = try Samples.authenticator(leeway: 0)
        let token = "Bearer \(try Samples.token())"
        for _ in 0..<3 {
            #expect(authenticator.refusal(token, now: now + 601) == .tokenExpired(at: now + 600))
        }
        #expect(authenticator.cacheHits == 2 && authenticator.cacheMisses == 1)
        #expect(authenticator.refusal(token, now: now + 601 + 300) == .tokenExpired(at: now + 600))
        #expect(authenticator.cacheMisses == 2, "not for ever")
        #expect(authenticator.principal(token, now: now + 599) != nil, "the clock was set back: it is looked at again")
    }

    @Test func noOtherFailureIsRemembered() throws {
        let authenticator = try Samples.authenticator(leeway: 0)
        let token = try Samples.token()
        let early = try Samples.token(["nbf": .integer(now + 10)])
        for _ in 0..<2 {
            #expect(authenticator.refusal("Bearer \(token.dropLast(4))AAAA") == .tokenInvalid)
            #expect(authenticator.refusal("Bearer \(early)") == .tokenNotYetValid(from: now + 10))
        }
        #expect(authenticator.cacheHits == 0 && authenticator.cacheCount == 0)
    }

    @Test func aClockThatIsSetBackAsksAgain() throws {
        let authenticator = try Samples.authenticator(leeway: 0)
        let token = "Bearer \(try Samples.token(["nbf": .integer(now - 10)]))"
        #expect(authenticator.principal(token) != nil)
        #expect(authenticator.refusal(token, now: now - 11) == .tokenNotYetValid(from: now - 10))
        #expect(authenticator.principal(token, now: now - 10) != nil)
    }

    @Test func tokensWithTheSameBeginningOrEndAreDifferentTokens() throws {
        let authenticator = try Samples.authenticator()
        let good = try Samples.token()
        #expect(authenticator.principal("Bearer \(good)") != nil)
        let bytes = Array(good.utf8)
        for place in bytes.indices {
            var changed = bytes
            changed[place] = changed[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let refusal = authenticator.refusal("Bearer \(String(decoding: changed, as: UTF8.self))")
            #expect(refusal == .tokenInvalid, "changed at \(place)")
        }
        for cut in [good.dropLast(), good.dropFirst()] {
            #expect(authenticator.refusal("Bearer \(cut)") == .tokenInvalid)
        }
        #expect(authenticator.refusal("Bearer \(good)A") == .tokenInvalid)
        #expect(authenticator.cacheCount == 1)
    }

    @Test func aHashCollisionIsNoHit() throws {
        let authenticator = try Samples.authenticator()
        let principal = try #require(authenticator.principal("Bearer \(try Samples.token())"))
        let cache = TokenCache(capacity: 8, byteLimit: 1 << 20)
        let token = Array("token-one".utf8)
        let other = Array("token-two".utf8)
        let longer = Array("token-one!".utf8)
        cache.insert(token.span, tag: 77, principal: principal, now: now, until: now + 10)
        #expect(cache.find(token.span, tag: 77, now: now)?.principal === principal)
        #expect(cache.find(other.span, tag: 77, now: now) == nil)
        #expect(cache.find(longer.span, tag: 77, now: now) == nil)
        cache.insert(other.span, tag: 77, principal: principal, now: now, until: now + 10)
        #expect(cache.count == 2, "both fit, under one hash")
        cache.insert(other.span, tag: 77, principal: principal, now: now, until: now + 20)
        #expect(cache.count == 2, "a token is held once")
        #expect(cache.find(other.span, tag: 77, now: now + 15)?.principal === principal)
    }

    @Test func itIsBoundedByEntries() throws {
        let authenticator = try Samples.authenticator(capacity: 16)
        for user in 0..<200 {
            let token = try Samples.token(["user_id": .integer(Int64(user))])
            #expect(authenticator.principal("Bearer \(token)")?.userID == String(user))
            #expect(authenticator.cacheCount <= 16)
        }
        #expect(authenticator.cacheCount > 8)
    }

    @Test func itIsBoundedByBytes() throws {
        let principal = try #require(try Samples.authenticator().principal("Bearer \(try Samples.token())"))
        let cache = TokenCache(capacity: 64, byteLimit: 20_000)
        for index in 0..<64 {
            let token = [UInt8](repeating: UInt8(index), count: 300)
            cache.insert(token.span, tag: cache.tag(of: token.span), principal: principal, now: now, until: now + 10)
            #expect(cache.byteCount <= 20_000)
            #expect(cache.find(token.span, tag: cache.tag(of: token.span), now: now)?.principal === principal)
        }
        #expect(cache.count >= 3)
        let huge = [UInt8](repeating: 1, count: 16384)
        cache.insert(huge.span, tag: 5, principal: principal, now: now, until: now + 10)
        #expect(cache.find(huge.span, tag: 5, now: now) == nil, "what exceeds the bound alone is not kept")
        cache.removeAll()
        #expect(cache.count == 0 && cache.byteCount == 0)
    }

    @Test func whatIsUsedStaysLongerThanWhatIsNot() throws {
        let principal = try #require(try Samples.authenticator().principal("Bearer \(try Samples.token())"))
        let cache = TokenCache(capacity: 8, byteLimit: 1 << 20)
        let used = Array("used".utf8)
        cache.insert(used.span, tag: 1, principal: principal, now: now, until: now + 1000)
        for index in 0..<100 {
            #expect(cache.find(used.span, tag: 1, now: now)?.principal === principal, "after \(index) others")
            let token = Array("other \(index)".utf8)
            cache.insert(token.span, tag: UInt64(index) * 2 + 3, principal: principal, now: now, until: now + 1000)
        }
    }

    @Test func expiredEntriesMakeRoomFirst() throws {
        let principal = try #require(try Samples.authenticator().principal("Bearer \(try Samples.token())"))
        let cache = TokenCache(capacity: 8, byteLimit: 1 << 20)
        for index in UInt64(0)..<8 {
            let token = Array("token \(index)".utf8)
            cache.insert(
                token.span, tag: index * 2 + 1, principal: principal, now: now, until: now + (index == 5 ? 1 : 99))
        }
        let fresh = Array("fresh".utf8)
        cache.insert(fresh.span, tag: 99, principal: principal, now: now + 2, until: now + 99)
        for index in UInt64(0)..<8 {
            let token = Array("token \(index)".utf8)
            let found = cache.find(token.span, tag: index * 2 + 1, now: now + 2)
            #expect((found != nil) == (index != 5))
        }
    }

    @Test func withoutCapacityItStaysEmpty() throws {
        let authenticator = try Samples.authenticator(capacity: 0)
        let token = "Bearer \(try Samples.token())"
        #expect(authenticator.principal(token) != nil && authenticator.principal(token) != nil)
        #expect(authenticator.cacheHits == 0 && authenticator.cacheCount == 0)
    }

    @Test func theHashDependsOnEveryByteOnTheLengthAndOnTheKey() {
        let hash = KeyedHash(first: 0x2d35_8dcc_aa6c_78a5, second: 0x8bb8_4b93_962e_acc9, third: 0x4b33_a62e_d433_d4a3)
        var seen: Set<UInt64> = []
        var count = 0
        for length in 0..<70 {
            var bytes = [UInt8](repeating: 0, count: length)
            seen.insert(hash(bytes.span))
            count += 1
            for place in 0..<length {
                bytes[place] = 1
                seen.insert(hash(bytes.span))
                count += 1
                bytes[place] = 0
            }
        }
        #expect(seen.count == count)
        let bytes = Array("token".utf8)
        #expect(KeyedHash()(bytes.span) != KeyedHash()(bytes.span), "each table draws its own")
    }
}

extension TokenCache.Finding {
    fileprivate var principal: Principal? {
        if case .principal(let principal, _) = self { principal } else { nil }
    }
}
