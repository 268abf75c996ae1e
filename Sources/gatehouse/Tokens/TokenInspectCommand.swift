import ArgumentParser
import Configuration
import HTTP
import JOSE
import Providers

/// `gatehouse token inspect`
struct TokenInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Decode a JWT from stdin and verify it with the configuration.",
        discussion: "Exit 1 when it does not verify. Its signature is never printed.")

    private static let inputLimit = 64 << 10

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption

    func run() throws {
        let token = Self.token(in: try StandardInput.read(limit: Self.inputLimit))
        let segments = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard segments.count == 3, let header = Self.object(segments[0]), let claims = Self.object(segments[1]) else {
            throw CommandFailure(
                "stdin holds no JWT: three base64url segments, of which the first two are JSON objects")
        }
        let configuration = KeptKeys.known(to: try options.load())
        let verdict = TokenVerifier(issuers: configuration.issuers).verify(token.span, now: WallClock.now)
        if output.json {
            Output.json(Self.json(header, claims, verdict, configuration))
        } else {
            Self.show("header", header)
            Self.show("claims", claims)
            print(Self.sentence(verdict, configuration))
        }
        if case .failure = verdict { throw CommandFailure(status: CommandFailure.explained) }
    }

    /// The token alone: without white space around it, and without the scheme it may have been copied with.
    private static func token(in input: [UInt8]) -> [UInt8] {
        let blanks = Array(" \t\r\n".utf8)
        let words = input.split { blanks.contains($0) }
        return words.last.map { Array($0) } ?? []
    }

    private static func object(_ segment: ArraySlice<UInt8>) -> JSONObject? {
        var bytes: [UInt8] = []
        let text = Array(segment)
        guard Base64URL.decode(text.span, into: &bytes) else { return nil }
        return (try? JSONReader.parse(bytes.span))?.object
    }

    private static func show(_ title: String, _ object: JSONObject) {
        print(title)
        let width = object.members.map(\.name.count).max() ?? 0
        for member in object.members {
            var bytes: [UInt8] = []
            JSONWriter.append(member.value, to: &bytes)
            var text = member.value.string ?? String(decoding: bytes, as: UTF8.self)
            if ["exp", "iat", "nbf"].contains(member.name), let time = member.value.integer, time >= 0,
                time < 253_402_300_800
            {
                text += "  \(HTTPDate.iso8601(time))"
            }
            let name = member.name + String(repeating: " ", count: width - member.name.count)
            print(Output.printable("  \(name)  \(text)"))
        }
    }

    private static func sentence(_ verdict: Result<VerifiedClaims, TokenFailure>, _ configuration: Configuration)
        -> String
    {
        switch verdict {
        case .success(let claims):
            let name = configuration.issuers[claims.issuerIndex].name
            return "verified by jwt block \(name): user \(claims.userID), until \(HTTPDate.iso8601(claims.expiresAt))"
        case .failure(let failure): return "not verified: \(failure.code): \(failure.reason)"
        }
    }

    private static func json(
        _ header: JSONObject, _ claims: JSONObject, _ verdict: Result<VerifiedClaims, TokenFailure>,
        _ configuration: Configuration
    ) -> JSONObject {
        var object: JSONObject = ["header": .object(header), "claims": .object(claims)]
        switch verdict {
        case .success(let verified):
            object["verified"] = .bool(true)
            object["jwt"] = .string(configuration.issuers[verified.issuerIndex].name)
            object["userId"] = .string(verified.userID)
            object["expiresAt"] = .string(HTTPDate.iso8601(verified.expiresAt))
        case .failure(let failure):
            object["verified"] = .bool(false)
            object["error"] = .string(failure.code)
            object["reason"] = .string(failure.reason)
        }
        return object
    }
}

extension TokenFailure {
    /// The contract's error.
    fileprivate var code: String {
        switch self {
        case .invalid, .keyUnknown: "token_invalid"
        case .expired: "token_expired"
        case .notYetValid: "token_not_yet_valid"
        case .wrongType: "token_wrong_type"
        }
    }

    fileprivate var reason: String {
        switch self {
        case .invalid(let reason): "\(reason)"
        case .keyUnknown: "its key is not among those that a running gateway has fetched and kept here"
        case .expired(let time): "expired \(HTTPDate.iso8601(time))"
        case .notYetValid(let time): "not valid before \(HTTPDate.iso8601(time))"
        case .wrongType(let expected): "it is not of token_type \(expected)"
        }
    }
}
