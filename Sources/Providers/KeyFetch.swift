internal import Configuration
internal import JOSE
internal import Transport

/// Fetches an issuer's key set, by its metadata where the configuration names an issuer. Confined to its source's queue.
final class KeyFetch {
    /// A key set as it was fetched.
    struct Fetched: Sendable {
        let body: [UInt8]
        let maxAge: Int64?
    }

    /// Redirects that are followed, all to the same host.
    private static let redirectsAtMost = 3
    /// Nanoseconds for which it is remembered where an issuer's keys are.
    private static let metadataLife: Int64 = 3_600_000_000_000

    private let location: RemoteKeys.Location
    private let context: TLSClientContext
    private var keySet: (url: RemoteURL, until: MonotonicTime)?
    private var connections: [String: ProviderConnection] = [:]

    init(_ definition: RemoteKeys) throws(ProviderFailure) {
        location = definition.location
        do throws(TLSError) { context = try TLSClientContext(trust: definition.trust) } catch {
            throw ProviderFailure(error.message)
        }
    }

    /// Fetches now; blocks.
    func fetch() throws(ProviderFailure) -> Fetched {
        // Kept connections are for the requests of one fetch: the next one is minutes away.
        defer { connections = [:] }
        do throws(ProviderFailure) {
            let answer = try get(try keySetURL())
            try Self.check(answer, of: "the key set")
            return Fetched(body: answer.body, maxAge: answer.maxAge)
        } catch {
            keySet = nil
            throw error
        }
    }

    private func keySetURL() throws(ProviderFailure) -> RemoteURL {
        guard case .issuer(let issuer) = location else {
            if case .keySet(let url) = location { return url }
            throw ProviderFailure("there is no location")
        }
        let now = MonotonicTime.now()
        if let keySet, keySet.until > now { return keySet.url }
        let url = try discover(issuer)
        keySet = (url, now.advanced(byNanoseconds: Self.metadataLife))
        return url
    }

    /// OpenID Connect Discovery 1.0 §4, else RFC 8414 §3.
    private func discover(_ issuer: RemoteURL) throws(ProviderFailure) -> RemoteURL {
        let path = issuer.path.hasSuffix("/") ? String(issuer.path.dropLast()) : issuer.path
        var reason = ProviderFailure("it has no metadata")
        for place in ["\(path)/.well-known/openid-configuration", "/.well-known/oauth-authorization-server\(path)"] {
            guard let url = RemoteURL("https://\(issuer.authority)\(place)") else { continue }
            do throws(ProviderFailure) {
                let answer = try get(url)
                try Self.check(answer, of: url.path)
                return try Self.keySetURL(in: answer.body, of: issuer)
            } catch { reason = error }
        }
        throw reason
    }

    private static func keySetURL(in body: [UInt8], of issuer: RemoteURL) throws(ProviderFailure) -> RemoteURL {
        guard let metadata = (try? JSONReader.parse(body.span))?.object else {
            throw ProviderFailure("its metadata are not a JSON object")
        }
        // Byte for byte: another issuer's keys would vouch for this one's tokens.
        guard let name = metadata["issuer"]?.string, name.hasSameBytes(as: issuer.text) else {
            throw ProviderFailure("its metadata name another issuer")
        }
        guard let text = metadata["jwks_uri"]?.string, let url = RemoteURL(text) else {
            throw ProviderFailure("its metadata have no 'jwks_uri' that is an https URL")
        }
        return url
    }

    private static func check(_ answer: ProviderAnswer, of name: String) throws(ProviderFailure) {
        guard answer.status == 200 else { throw ProviderFailure("\(name): the answer is \(answer.status)") }
        guard ["application/json", "application/jwk-set+json"].contains(answer.mediaType) else {
            throw ProviderFailure("\(name): the answer is '\(answer.mediaType.prefix(64))', not JSON")
        }
    }

    private func get(_ url: RemoteURL) throws(ProviderFailure) -> ProviderAnswer {
        var url = url
        for _ in 0...Self.redirectsAtMost {
            let connection = connections[url.authority] ?? ProviderConnection(url, context: context)
            connections[url.authority] = connection
            let answer = try connection.send(ProviderRequest(url: url))
            guard [301, 302, 303, 307, 308].contains(answer.status) else { return answer }
            guard let target = answer.location.flatMap({ Self.target($0, from: url) }) else {
                throw ProviderFailure("\(url.path) redirects to another host")
            }
            url = target
        }
        throw ProviderFailure("\(url.path): too many redirects")
    }

    private static func target(_ location: String, from url: RemoteURL) -> RemoteURL? {
        guard !location.isEmpty else { return nil }
        let folder = url.path[...(url.path.lastIndex(of: "/") ?? url.path.startIndex)]
        let text: String
        if location.contains("://") || location.hasPrefix("//") {
            text = location
        } else {
            text = "https://\(url.authority)\(location.hasPrefix("/") ? "" : folder)\(location)"
        }
        guard let target = RemoteURL(text), target.authority == url.authority else { return nil }
        return target
    }
}
