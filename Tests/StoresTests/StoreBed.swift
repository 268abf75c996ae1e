import Configuration
import Foundation
import GRDB
import Identity
import Testing

@testable import Stores

/// The stores that there are: what one promises, all keep.
enum StoreKind: String, Sendable, CustomTestStringConvertible {
    case sqlite
    case postgres

    /// PostgreSQL where the environment names a server: `deploy/test` starts one.
    static let all: [StoreKind] = PostgresServer.settings == nil ? [.sqlite] : [.sqlite, .postgres]

    var testDescription: String { rawValue }
}

/// The server that the tests have; each bed makes a database of its own there.
enum PostgresServer {
    /// What `GATEHOUSE_TEST_POSTGRES` says, as `host=/run/x user=gatehouse dbname=postgres`.
    static let settings: [String: String]? = ProcessInfo.processInfo.environment["GATEHOUSE_TEST_POSTGRES"].map {
        text in
        let words = text.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        return Dictionary(uniqueKeysWithValues: words.map { ($0[0], $0[1]) })
    }

    static func location(_ database: String, _ more: [String: String] = [:]) throws -> PostgresLocation {
        let settings = try #require(settings).merging(["dbname": database]) { $1 }.merging(more) { $1 }
        return PostgresLocation(settings: settings, name: "postgres://test/\(database)")
    }

    static func run(_ sql: String, in database: String = "postgres") throws {
        try PostgresConnection(location(database).settings, within: .seconds(5)).run(sql)
    }
}

/// Where a test's data lie: opened as often as it likes, gone with it.
final class StoreBed: @unchecked Sendable {
    private let kind: StoreKind
    private let folder: TemporaryFolder
    let database = "test_" + UUID().uuidString.replacing("-", with: "").lowercased()

    init(_ kind: StoreKind) throws {
        self.kind = kind
        folder = try TemporaryFolder()
        if kind == .postgres { try PostgresServer.run("CREATE DATABASE \(database)") }
    }

    deinit {
        if kind == .postgres { try? PostgresServer.run("DROP DATABASE \(database) WITH (FORCE)") }
    }

    var path: String { folder.file("gatehouse.db") }

    func open() throws -> any IdentityStore {
        switch kind {
        case .sqlite: try SQLiteStore(path: path)
        case .postgres: try PostgresStore(PostgresServer.location(database))
        }
    }

    /// Does to the data what no store would.
    func execute(_ sql: String) throws {
        switch kind {
        case .sqlite: try SQLiteStore(path: path).write { try $0.execute(sql: sql) }
        case .postgres: try PostgresServer.run("SET search_path = gatehouse; \(sql)", in: database)
        }
    }
}
