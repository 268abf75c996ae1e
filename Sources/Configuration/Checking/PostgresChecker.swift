internal import CPostgres
internal import Transport

/// `store postgres:env:NAME` or `store postgres:file:PATH`: what stands there is a connection string of libpq's (PostgreSQL, 34.1.1).
///
/// Where the string does not say otherwise, a server that is not on this machine is spoken to by TLS only, and has to prove its name: what libpq
/// does by itself would send passwords' hashes and revocations to whoever answers.
struct PostgresChecker {
    let context: CheckContext

    /// Certificates of public authorities, where Debian and its kin keep them.
    private static let publicAuthorities = "/etc/ssl/certs/ca-certificates.crt"

    /// Connections end when nothing was heard for as long; libpq's own answer would be hours.
    private static let defaults = [
        "fallback_application_name": "gatehouse", "keepalives_idle": "10", "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000", "gssencmode": "disable",
    ]

    /// Nil and an error when it is not one.
    func check(_ word: Word) -> PostgresLocation? {
        let source = Word(
            text: String(word.text.dropFirst("postgres:".count)), span: word.span, isQuoted: word.isQuoted)
        guard source.text.hasPrefix("env:") || source.text.hasPrefix("file:") else {
            // It may be the connection string itself, with a password in it.
            context.diagnostics.error(
                "'store postgres:' takes 'env:NAME' or 'file:PATH' where the connection string stands", at: word.span,
                suggestion: "write 'store postgres:env:DATABASE_URL;'", isSecret: true)
            return nil
        }
        guard let bytes = context.secret(source) else { return nil }
        let text = Self.trimmed(String(decoding: bytes, as: UTF8.self))
        guard !text.utf8.contains(0), let said = Self.parse(text), Self.isPlausible(said) else {
            context.error(
                "\(source.text.clipped) holds no connection string", at: word,
                suggestion: "it reads like postgres://USER:PASSWORD@HOST:5432/DATABASE, with % escapes in the password")
            return nil
        }
        return isUsable(said, word) ? location(said, word) : nil
    }

    private static func trimmed(_ text: String) -> String {
        let start = text.drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }

    /// What libpq would find out when it connects.
    private func isUsable(_ said: [String: String], _ word: Word) -> Bool {
        let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
        if let mode = said["sslmode"], !modes.contains(mode) {
            context.error(
                "'\(mode.clipped)' is no sslmode", at: word,
                suggestion: Spelling.suggestion(for: mode, among: modes) ?? "there are \(modes.joined(separator: ", "))"
            )
            return false
        }
        for name in ["sslrootcert", "sslcert", "sslkey", "sslcrl"] {
            guard let path = said[name], !path.isEmpty, path != "system" else { continue }
            do throws(FileAccess.Failure) { _ = try context.files.read(path) } catch {
                context.error(
                    "\(name) '\(path.clipped)' cannot be read: \(error.message)", at: word,
                    suggestion: "name it by its whole path")
                return false
            }
        }
        return true
    }

    private func location(_ said: [String: String], _ word: Word) -> PostgresLocation {
        var settings = Self.defaults
        let hosts = hosts(said)
        let isLocal = !hosts.isEmpty && hosts.allSatisfy(Self.isLocal)
        let mode = said["sslmode"] ?? context.environment["PGSSLMODE"]
        if isLocal {
            settings["sslmode"] = mode ?? "prefer"
        } else {
            settings["sslmode"] = mode ?? "verify-full"
            if mode == nil || mode == "verify-full" {
                settings["sslrootcert"] = context.environment["PGSSLROOTCERT"] ?? Self.publicAuthorities
            }
            if let mode, ["disable", "allow", "prefer", "require"].contains(mode) {
                context.diagnostics.warning(
                    "with sslmode=\(mode) whoever answers at \(hosts.joined(separator: ",").clipped) is believed to be the store",
                    at: word.span,
                    suggestion: "sslmode=verify-full, and sslrootcert=FILE for an authority of your own")
            }
        }
        // After a fail-over, the one that accepts writes is meant.
        if hosts.count > 1 { settings["target_session_attrs"] = "read-write" }
        settings.merge(said) { _, said in said }
        settings["client_encoding"] = "UTF8"
        let places = zip(hosts, Self.ports(said, hosts.count)).map { $1.isEmpty ? $0 : "\($0):\($1)" }
        let name = "postgres://\(places.joined(separator: ","))/\(said["dbname"] ?? "")"
        return PostgresLocation(settings: settings, name: name)
    }

    /// A password whose `@`, `/` or `:` is not escaped becomes part of what stands behind it, and would be shown with that.
    private static func isPlausible(_ said: [String: String]) -> Bool {
        let hosts = (said["host"] ?? "").split(separator: ",")
        let ports = (said["port"] ?? "").split(separator: ",")
        return hosts.allSatisfy { !$0.dropFirst().contains("@") }
            && ports.allSatisfy { (1...65535).contains(Int($0) ?? 0) }
            && !(said["dbname"] ?? "").contains { "@/:".contains($0) }
    }

    /// What is connected to: an address before the name beside it.
    private func hosts(_ said: [String: String]) -> [String] {
        let text =
            said["hostaddr"] ?? context.environment["PGHOSTADDR"] ?? said["host"] ?? context.environment["PGHOST"] ?? ""
        return text.split(separator: ",").map(String.init)
    }

    private static func ports(_ said: [String: String], _ count: Int) -> [String] {
        let ports = (said["port"] ?? "").split(separator: ",").map(String.init)
        return (0..<count).map { ports.count == count ? ports[$0] : ports.first ?? "" }
    }

    /// A Unix socket's folder, or this machine's own addresses.
    private static func isLocal(_ host: String) -> Bool {
        host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }

    /// What a connection string says; nil when it cannot be read. libpq's own message would repeat parts of it.
    private static func parse(_ text: String) -> [String: String]? {
        guard let options = unsafe PQconninfoParse(text, nil) else { return nil }
        defer { unsafe PQconninfoFree(options) }
        var said: [String: String] = [:]
        var place = unsafe options
        while let keyword = unsafe place.pointee.keyword {
            if let value = unsafe place.pointee.val {
                unsafe said[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe place += 1
        }
        return said
    }
}
