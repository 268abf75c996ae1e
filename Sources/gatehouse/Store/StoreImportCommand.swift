import ArgumentParser
import Configuration
import Foundation
import Identity
import JOSE
import Stores

/// `gatehouse store import`
struct StoreImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take all that a SQLite store keeps over into PostgreSQL, or nothing.",
        discussion: """
            The configuration names the new store, which has to be empty; the file stays as it is. Stop the gateway on the \
            old store before: what it writes later stays behind. Sessions, keys and log-outs go on where they were.
            """)

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var output: JSONOption
    @Argument(help: "The SQLite file.") var file: String

    func run() throws {
        guard case .postgres(let location) = try options.load().store else {
            throw CommandFailure("the configuration's store is no PostgreSQL; write 'store postgres:env:DATABASE_URL;'")
        }
        guard FileManager.default.fileExists(atPath: file) else { throw CommandFailure("there is no file \(file)") }
        let counts: [(table: String, count: Int)]
        do throws(StoreError) {
            counts = try StoreMove.copy(SQLiteStore(path: file, creating: false), to: PostgresStore(location))
        } catch {
            throw CommandFailure(error.message)
        }
        if output.json {
            var object: JSONObject = [:]
            for (table, count) in counts { object[table] = .integer(Int64(count)) }
            return Output.json(object)
        }
        Output.table(["TABLE", "ROWS"], counts.map { [$0.table, "\($0.count)"] })
    }
}
