import Testing

@testable import Configuration

@Suite("store postgres: what the connection string says, and what counts where it says nothing")
struct PostgresCheckTests {
    /// A connection string, the environment beside it, and settings that follow, nil for none.
    struct Case: CustomTestStringConvertible, Sendable {
        let text: String
        var environment: [String: String] = [:]
        let settings: [String: String?]
        let name: String
        var warning = ""
        let why: String

        var testDescription: String { "\(text), \(why)" }
    }

    private static let bundle = "/etc/ssl/certs/ca-certificates.crt"

    static let cases = [
        Case(
            text: "postgres://gate:p%40ss@db.example.com:6432/agents",
            settings: [
                "host": "db.example.com", "port": "6432", "user": "gate", "password": "p@ss", "dbname": "agents",
                "sslmode": "verify-full", "sslrootcert": bundle, "target_session_attrs": nil, "gssencmode": "disable",
                "keepalives_idle": "10", "fallback_application_name": "gatehouse", "client_encoding": "UTF8",
            ], name: "postgres://db.example.com:6432/agents", why: "a server elsewhere has to prove its name"),
        Case(
            text: "host=/run/postgresql dbname=agents", settings: ["sslmode": "prefer", "sslrootcert": nil],
            name: "postgres:///run/postgresql/agents", why: "a socket of this machine"),
        Case(
            text: "postgresql://localhost/agents", settings: ["sslmode": "prefer"], name: "postgres://localhost/agents",
            why: "this machine"),
        Case(
            text: "postgres://127.0.0.1:5433/", settings: ["sslmode": "prefer", "port": "5433"],
            name: "postgres://127.0.0.1:5433/", why: "this machine by its address"),
        Case(
            text: "postgres://127.example.com/a", settings: ["sslmode": "verify-full"],
            name: "postgres://127.example.com/a",
            why: "a name that only looks like it"),
        Case(
            text: "postgres://localhost,db2/a",
            settings: ["sslmode": "verify-full", "target_session_attrs": "read-write"],
            name: "postgres://localhost,db2/a", why: "one of several elsewhere; the one that writes is meant"),
        Case(
            text: "postgres://db1:1,db2:2/a?target_session_attrs=any&sslmode=verify-ca&sslrootcert=/etc/hosts",
            settings: ["target_session_attrs": "any", "sslmode": "verify-ca", "sslrootcert": "/etc/hosts"],
            name: "postgres://db1:1,db2:2/a", why: "what is said counts"),
        Case(
            text: "postgres://db/a?sslmode=require", settings: ["sslmode": "require", "sslrootcert": nil],
            name: "postgres://db/a",
            warning: "1:7: warning: with sslmode=require whoever answers at db is believed to be the store",
            why: "with a root certificate libpq would check, and then not find it"),
        Case(
            text: "postgres://db/a", environment: ["PGSSLMODE": "disable"], settings: ["sslmode": "disable"],
            name: "postgres://db/a",
            warning: "1:7: warning: with sslmode=disable whoever answers at db is believed to be the store",
            why: "libpq's own environment"),
        Case(
            text: "host=localhost hostaddr=192.0.2.1 dbname=a", settings: ["sslmode": "verify-full"],
            name: "postgres://192.0.2.1/a", why: "libpq connects to the address, whatever the name"),
        Case(
            text: "postgres://localhost/a", environment: ["PGHOSTADDR": "192.0.2.1"],
            settings: ["sslmode": "verify-full"],
            name: "postgres://192.0.2.1/a", why: "that of the environment too"),
        Case(
            text: "dbname=agents\n", settings: ["sslmode": "verify-full", "host": nil], name: "postgres:///agents",
            why: "libpq finds the server by its own defaults; a socket needs no TLS, and whatever else does"),
    ]

    @Test(arguments: cases)
    func settings(row: Case) throws {
        let environment = row.environment.merging(["DATABASE_URL": row.text]) { $1 }
        let (workspace, text) = (Workspace(), "store postgres:env:DATABASE_URL;" + Row.rest)
        let configuration = try workspace.load(text, environment: environment).get()
        guard case .postgres(let location) = configuration.store else {
            Issue.record("no PostgreSQL: \(row.why)")
            return
        }
        for (name, value) in row.settings { #expect(location.settings[name] == value, "\(name): \(row.why)") }
        #expect(location.name == row.name)
        let found = workspace.findings(text, environment: environment)
        #expect(found.count == (row.warning.isEmpty ? 0 : 1))
        if let first = found.first { #expect(first.hasPrefix(row.warning)) }
    }

    @Test(
        "a password that is not escaped is not shown as what it becomes",
        arguments: [
            "postgres://gate:hunter/2abc@db/prod", "postgres://gate:hun@ter2@db/prod", "postgres://db:hunter2/a",
            "postgres://db/a:hunter2", "host=db port=0 dbname=hunter2",
        ])
    func unescaped(text: String) {
        let found = Workspace().findings(
            "store postgres:env:DATABASE_URL;" + Row.rest, environment: ["DATABASE_URL": text])
        #expect(
            found == [
                "1:7: error: env:DATABASE_URL holds no connection string; it reads like postgres://USER:PASSWORD@HOST:5432/DATABASE, with % escapes in the password"
            ])
    }

    @Test(
        "what would keep it from connecting is said before it tries",
        arguments: [
            ("sslmode=yes", "'yes' is no sslmode; there are disable, allow, prefer, require, verify-ca, verify-full"),
            ("sslmode=verify-ful", "'verify-ful' is no sslmode; did you mean 'verify-full'?"),
            (
                "sslrootcert=/nowhere/ca.pem",
                "sslrootcert '/nowhere/ca.pem' cannot be read: No such file or directory; name it by its whole path"
            ),
        ])
    func unusable(option: String, message: String) {
        let text = "postgres://db/a?" + option
        let found = Workspace().findings(
            "store postgres:env:DATABASE_URL;" + Row.rest, environment: ["DATABASE_URL": text])
        #expect(found == ["1:7: error: " + message])
    }

    @Test("blanks and line ends around it are no part of it")
    func blanks() throws {
        let environment = ["DATABASE_URL": " postgres://localhost/a \r\n\n"]
        let configuration = try Workspace().load(
            "store postgres:env:DATABASE_URL;" + Row.rest, environment: environment
        ).get()
        guard case .postgres(let location) = configuration.store else {
            Issue.record("no PostgreSQL")
            return
        }
        #expect(location.settings["dbname"] == "a")
    }

    @Test("no way of printing it shows the password")
    func secrecy() {
        let location = PostgresLocation(settings: ["password": "hunter2"], name: "postgres://db/a")
        let store = StoreLocation.postgres(location)
        var dumped = ""
        dump(store, to: &dumped)
        for text in ["\(location)", "\(store)", String(reflecting: location), String(reflecting: store), dumped] {
            #expect(!text.contains("hunter2"), "\(text)")
        }
    }
}
