internal import Configuration
internal import HTTP
internal import JOSE
internal import Policy
internal import Transport

/// What may be done with an agent's keys over HTTP.
public enum KeyRequest: Sendable, Equatable {
    /// `GET …/api-keys/`
    case list
    /// `POST …/api-keys/`
    case create
    /// `POST …/api-keys/{key_id}/rotate/`
    case rotate(keyID: String)
    /// `DELETE …/api-keys/{key_id}/`
    case revoke(keyID: String)
}

extension IdentityService {
    /// Carries out a request of `userID`, who may manage `agentID`. What it changes acts on every shard before the reply.
    public func perform(
        _ request: KeyRequest, agentID: String, userID: String, body: [UInt8], prefix: String,
        reply: @escaping Reply
    ) {
        enqueue(about: agentID, reply) { [self] () throws(Refusal) in
            let service = KeyService(store: store, prefix: prefix)
            let now = WallClock.seconds()
            if request == .list { usage.flush() }
            do {
                let answer = try Self.answer(request, service, agentID, userID, body, now)
                guard request != .list else { return answer }
                // A key that is revoked in the store, and that a shard goes on accepting, is not revoked.
                publisher.reloadKeys { isKnown in
                    reply(isKnown || request == .create ? answer : .refused(.storeUnavailable))
                }
                return nil
            } catch let error as KeyServiceError {
                if case .store(let error) = error { throw refusal(for: error) }
                throw error.refusal
            } catch let refusal as Refusal {
                throw refusal
            } catch { throw .storeUnavailable }
        }
    }

    private static func answer(
        _ request: KeyRequest, _ service: KeyService, _ agentID: String, _ userID: String, _ body: [UInt8], _ now: Int64
    ) throws -> IdentityReply {
        switch request {
        case .list:
            let keys = try service.list(agentID: agentID, now: now).map { JSONValue.object($0.json) }
            return .json(status: 200, body: JSONWriter.encode(["keys": .array(keys)]))
        case .create:
            let fields = try RequestBody(body)
            let key = try service.create(
                agentID: agentID, ownerID: userID, name: fields.text("name"), expiresAt: fields.time("expiresAt"),
                limits: try limits(fields), now: now)
            return .json(status: 201, body: JSONWriter.encode(key.json))
        case .rotate(let id):
            let fields = try RequestBody(body, allowsEmpty: true)
            let key = try service.rotate(
                id: id, agentID: agentID, grace: fields.integer("graceSeconds") ?? KeyService.defaultGrace, now: now)
            return .json(status: 201, body: JSONWriter.encode(key.json))
        case .revoke(let id):
            try service.revoke(id: id, agentID: agentID, now: now)
            return .noContent
        }
    }
}

extension IdentityService {
    /// The members `rateLimit` and `quota` of a new key.
    private static func limits(_ fields: RequestBody) throws(Refusal) -> KeyLimits {
        var limits = KeyLimits()
        if let text = try fields.optionalText("rateLimit") {
            do throws(LimitProblem) { limits.rate = try RateLimit(text: text) } catch {
                throw .badRequest(field: "rateLimit", reason: "\(error.message); \(error.suggestion)")
            }
        }
        if let text = try fields.optionalText("quota") {
            do throws(LimitProblem) { limits.quota = try Quota(text: text) } catch {
                throw .badRequest(field: "quota", reason: "\(error.message); \(error.suggestion)")
            }
        }
        return limits
    }
}

extension KeyServiceError {
    /// What a client is answered.
    var refusal: Refusal {
        switch self {
        case .invalid(let field, let reason): .badRequest(field: field, reason: reason)
        case .unknownKey: .notFound
        case .revoked: .badRequest(field: "key_id", reason: "the key was revoked; create a new one")
        case .expired: .badRequest(field: "key_id", reason: "the key has expired; create a new one")
        case .rotated: .badRequest(field: "key_id", reason: "the key was rotated before; rotate its successor")
        case .store: .storeUnavailable
        }
    }
}
