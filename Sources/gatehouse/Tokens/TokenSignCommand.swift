import ArgumentParser
import Configuration
import Foundation
import Identity
import JOSE

/// `gatehouse token sign`
struct TokenSignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Print a JWT signed with a key of the configuration.",
        discussion: """
            An access token with token_type, exp, iat, jti, sub and user_id, and iss and aud when the jwt block has them. A \
            jwt block can sign when its keys are secrets or private.
            """)

    @OptionGroup var options: ConfigurationOption
    @Option(help: ArgumentHelp("Whose token it is.", valueName: "id")) var user: String
    @Option(
        name: .customLong("claim"),
        help: ArgumentHelp("A further or another claim; JSON, or else text. Repeatable.", valueName: "name=value"))
    var claims: [ClaimArgument] = []
    @Option(help: ArgumentHelp("How long it lives: 30s, 5m, 1h, 7d. Default: 1h.", valueName: "time"))
    var expiresIn: TimeSpan?
    @Option(help: ArgumentHelp("The jwt block whose key signs.", valueName: "name")) var issuerBlock: String?
    @Option(help: ArgumentHelp("Another key: file:PATH or env:NAME. With --algorithm.", valueName: "key"))
    var key: SecretReference?
    @Option(
        help: ArgumentHelp("The algorithm for --key, like ES256.", valueName: "alg"),
        transform: { (name: String) in
            guard let algorithm = SignatureAlgorithm(rawValue: name) else {
                let names = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("It is one of \(names).")
            }
            return algorithm
        }) var algorithm: SignatureAlgorithm?

    func validate() throws {
        guard (key == nil) == (algorithm == nil) else { throw ValidationError("--key and --algorithm go together.") }
        guard key?.isReference != false else {
            throw ValidationError("A key is named by file:PATH or env:NAME, never written inline.")
        }
        guard (1...256).contains(user.utf8.count), user.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("A user id is 1 to 256 visible ASCII characters.")
        }
    }

    func run() throws {
        let configuration = try loadedConfiguration()
        let (signing, issuer) = try signer(configuration)
        do throws(KeyError) { print(try signing.sign(claims: tokenClaims(issuer))) } catch {
            throw CommandFailure(error.message)
        }
    }

    /// With a key of its own the command also works where there is no configuration.
    private func loadedConfiguration() throws -> Configuration? {
        let isOptional = key != nil && issuerBlock == nil && options.config == ConfigurationOption.defaultPath
        if isOptional, !FileManager.default.fileExists(atPath: options.config) { return nil }
        return try options.load()
    }

    private func signer(_ configuration: Configuration?) throws -> (SigningKey, TokenIssuer?) {
        let issuers = configuration?.issuers ?? []
        if let issuerBlock, !issuers.contains(where: { $0.name == issuerBlock }) {
            throw CommandFailure("\(options.config) has no jwt block '\(issuerBlock)'")
        }
        func issuer(_ name: String) -> TokenIssuer? { issuers.first { $0.name == name } }
        if let key, let algorithm {
            let name = issuerBlock ?? (issuers.count == 1 ? issuers[0].name : nil)
            return (try own(key, algorithm), name.flatMap(issuer))
        }
        let candidates = (configuration?.signing ?? []).filter { issuerBlock == nil || $0.issuer == issuerBlock }
        guard let first = candidates.first else {
            let block = issuerBlock.map { "jwt block '\($0)'" } ?? "a jwt block of \(options.config)"
            throw CommandFailure("\(block) has no secret or private key to sign with; use --key and --algorithm")
        }
        let names = Set(candidates.map(\.issuer)).sorted()
        guard names.count == 1 else {
            throw CommandFailure(
                "several jwt blocks can sign; choose one with --issuer-block: \(names.joined(separator: ", "))")
        }
        return (first.key, issuer(first.issuer))
    }

    private func own(_ reference: SecretReference, _ algorithm: SignatureAlgorithm) throws -> SigningKey {
        do {
            return algorithm.rawValue.hasPrefix("HS")
                ? try SigningKey(secret: reference.readSecret(), algorithm: algorithm)
                : try SigningKey(pem: reference.read(), algorithm: algorithm)
        } catch let error as KeyError {
            throw CommandFailure("--key: \(error.message)")
        }
    }

    private func tokenClaims(_ issuer: TokenIssuer?) -> JSONObject {
        let now = WallClock.now
        var object: JSONObject = [
            "token_type": .string("access"), "exp": .integer(now + (expiresIn?.seconds ?? 3_600)), "iat": .integer(now),
            "jti": .string(Identifier.uuid()), "sub": .string(user), "user_id": .string(user),
        ]
        if let name = issuer?.userIDClaims.first { object[name] = .string(user) }
        if let name = issuer?.issuer { object["iss"] = .string(name) }
        if let audience = issuer?.audience.first { object["aud"] = .string(audience) }
        for claim in claims { object[claim.name] = claim.value }
        return object
    }
}
