import Configuration
import HTTP
import Identity
import JOSE
import Policy
import Transport

/// Services that ask about what was issued here, and end it.
extension Exchange {
    /// Whether the request comes from a configured `client` (RFC 7617). Unknown names and wrong secrets look alike, in time too.
    var isFromClient: Bool {
        guard let value = head.authorization, let headBuffer, let identity = serving.configuration.identity else {
            return false
        }
        let bytes = headBuffer.readable.extracting(value.range)
        guard let space = (0..<bytes.count).first(where: { bytes[$0] == UInt8(ascii: " ") }),
            TextMatch.equalsIgnoringCase(bytes, 0..<space, "basic"),
            let start = (space..<bytes.count).first(where: { bytes[$0] != UInt8(ascii: " ") }),
            let pair = Base64.decode(String(decoding: bytes.copy(start..<bytes.count), as: UTF8.self), padded: true),
            let colon = pair.firstIndex(of: UInt8(ascii: ":"))
        else { return false }
        let name = Array(pair[..<colon])
        let secret = Array(pair[(colon + 1)...])
        // RFC 6749 §2.3.1 has both form-encoded; many clients send them as they are.
        let isPlain = Self.isClient(name, secret, identity.clients)
        guard let name = FormBody.decode(name), let secret = FormBody.decode(secret) else { return isPlain }
        let isEncoded = Self.isClient(name, secret, identity.clients)
        return isPlain || isEncoded
    }

    private static func isClient(_ name: [UInt8], _ secret: [UInt8], _ clients: [ServiceClient]) -> Bool {
        let digest = SHA256().hash(secret.span)
        var isKnown = false
        for client in clients {
            let hasSecret = client.secretDigest.constantTimeEquals(digest)
            if Array(client.name.utf8) == name, hasSecret { isKnown = true }
        }
        return isKnown
    }

    /// The form is here: what is asked is done.
    func serveClient(_ identity: IdentityService, _ mint: TokenMint) {
        let token: [UInt8]
        do throws(FormBody.Problem) { token = try FormBody.value(of: "token", in: collected) } catch {
            switch error {
            case .missing: return refuse(.badRequest(field: "token", reason: "is missing"))
            case .repeated: return refuse(.badRequest(field: "token", reason: "is sent more than once"))
            case .malformed: return refuse(.badRequest(field: "body", reason: "is not a form"))
            }
        }
        var principal: Principal?
        let judged = worker.authenticator.authenticate(presented: token.span, now: worker.clock.update())
        switch judged {
        case .principal(let found): if found.kind != .opaque { principal = found }
        // Not an answer about the token: what is told to be over would go on.
        case .refused(.storeUnavailable): return refuse(.storeUnavailable)
        default: break
        }
        if case .introspection = endpoint {
            identity.introspect(token, principal: principal, mint: mint, reply: later { $0.replied($1) })
        } else {
            identity.revoke(
                presented: token, principal: principal, mint: mint, keyPrefix: serving.configuration.keyPrefix,
                reply: later { $0.replied($1) })
        }
    }
}
