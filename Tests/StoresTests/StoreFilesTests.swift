import Foundation
import GRDB
import Identity
import Policy
import Testing

@testable import Stores

@_silgen_name("setfsuid") private func setFileSystemUser(_ user: UInt32) -> Int32

@Suite("SQLiteStore: its files, and what it says when they cannot be used")
struct StoreFilesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func failure(_ body: () throws -> Void) -> StoreError? {
        do {
            try body()
            return nil
        } catch { return error as? StoreError }
    }

    @Test("the file, its companions and the folders made for it are for the owner only, whatever the umask")
    func permissions() throws {
        let store = try SQLiteStore(path: folder.file("data/deep/gatehouse.db"))
        try store.create(Fixtures.key("a"))
        #expect(try folder.mode("data") == 0o700)
        #expect(try folder.mode("data/deep") == 0o700)
        for name in ["gatehouse.db", "gatehouse.db-wal", "gatehouse.db-shm"] {
            #expect(try folder.mode("data/deep/" + name) == 0o600, "\(name)")
        }
    }

    @Test("files that others could read are closed to them when the store is opened")
    func tightening() throws {
        let path = folder.file("gatehouse.db")
        try SQLiteStore(path: path).create(Fixtures.key("a"))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        let store = try SQLiteStore(path: path)
        #expect(try store.keys().count == 1)
        #expect(try folder.mode("gatehouse.db") == 0o600)
    }

    @Test("journal mode is WAL and synchronous is FULL on the writing connection")
    func durability() throws {
        let path = folder.file("gatehouse.db")
        let store = try SQLiteStore(path: path)
        #expect(try store.pragma("journal_mode") == "wal")
        #expect(try store.pragma("synchronous") == "2")
    }

    @Test("without leave to create, a missing store is an error and stays missing")
    func missing() throws {
        let path = folder.file("none/gatehouse.db")
        let error = failure { _ = try SQLiteStore(path: path, creating: false) }
        #expect(error?.kind == .unavailable)
        #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
    }

    @Test(
        "what is not a usable store is named with the way out",
        arguments: [
            (
                "a text file", "hello, this is not a database at all, whatever its name says\n",
                "damaged or not a SQLite"
            ),
            ("a torn header", "SQLite format 3\0\u{10}", "damaged or not a SQLite"),
        ])
    func notAStore(name: String, content: String, sentence: String) throws {
        let path = folder.file("gatehouse.db")
        try Data(content.utf8).write(to: URL(fileURLWithPath: path))
        let error = failure { _ = try SQLiteStore(path: path) }
        #expect(error?.kind == .unreadable, "\(name): \(String(describing: error))")
        #expect(error?.message.contains(path) == true)
        #expect(error?.message.contains(sentence) == true, "\(String(describing: error))")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(content.utf8), "\(name) is left as it was")
    }

    @Test("pages overwritten with noise are reported, not trusted")
    func damaged() throws {
        let path = folder.file("gatehouse.db")
        try SQLiteStore(path: path).create(Fixtures.key("a"))
        for companion in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + companion) }
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: 100)
        try handle.write(contentsOf: Data(repeating: 0xA5, count: 8_000))
        try handle.close()
        #expect(failure { try SQLiteStore(path: path).create(Fixtures.key("b")) }?.kind == .unreadable)
    }

    @Test("a folder in the file's place, and a file in the folder's, are refused")
    func wrongKind() throws {
        try FileManager.default.createDirectory(atPath: folder.file("folder.db"), withIntermediateDirectories: false)
        try Data().write(to: URL(fileURLWithPath: folder.file("file")))
        #expect(failure { _ = try SQLiteStore(path: folder.file("folder.db")) }?.message.contains("not a file") == true)
        #expect(failure { _ = try SQLiteStore(path: folder.file("file/gatehouse.db")) }?.kind == .unavailable)
    }

    @Test("a store that a newer version wrote is left alone")
    func newer() throws {
        let path = folder.file("gatehouse.db")
        _ = try SQLiteStore(path: path)
        try DatabaseQueue(path: path).write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 later')") }
        #expect(failure { _ = try SQLiteStore(path: path) }?.message.contains("newer version") == true)
    }

    @Test("a store that may only be read says so, and heals when it may be written again")
    func readOnly() throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
        let path = folder.file("gatehouse.db")
        let store = try SQLiteStore(path: path)
        try store.create(Fixtures.key("a"))
        let error = asStranger { failure { _ = try SQLiteStore(path: path) } }
        #expect(error?.kind == .readOnly || error?.kind == .unavailable, "\(String(describing: error))")
        #expect(asStranger { failure { _ = try SQLiteStore(path: folder.file("new.db")) } }?.kind == .readOnly)
        try store.create(Fixtures.key("b"))
    }

    @Test("a write lock that another connection keeps is an error after the busy timeout, and reads go on")
    func busy() throws {
        let path = folder.file("gatehouse.db")
        let store = try SQLiteStore(path: path, busyTimeout: .milliseconds(100))
        let queue = try DatabaseQueue(path: path)
        try queue.inDatabase { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
            #expect(failure { try store.create(Fixtures.key("a")) }?.kind == .busy)
            #expect(try store.keys().isEmpty)
            try database.execute(sql: "ROLLBACK")
        }
        try store.create(Fixtures.key("a"))
    }

    @Test("a full store refuses the write whole, and heals when there is room")
    func full() throws {
        let store = try SQLiteStore(path: folder.file("gatehouse.db"))
        try store.create(Fixtures.key("a"))
        try store.limitPages(to: 1)
        let error = failure { for number in 0..<500 { try store.create(Fixtures.key("n\(number)")) } }
        #expect(error?.kind == .full)
        let count = try store.keys().count
        try store.limitPages(to: 100_000)
        try store.create(Fixtures.key("b"))
        #expect(try store.keys().count == count + 1)
    }

    @Test("a file that is gone is an error, never an empty store; what is put in its place is read")
    func replaced() throws {
        let path = folder.file("gatehouse.db")
        let store = try SQLiteStore(path: path)
        try store.create(Fixtures.key("a"))
        let before = try store.changeCounter()
        try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
        #expect(failure { _ = try store.keys() }?.kind == .unavailable)
        #expect(failure { _ = try store.changeCounter() }?.kind == .unavailable)
        #expect(failure { try store.usable() }?.kind == .unavailable)
        for companion in ["-wal", "-shm"] {
            try FileManager.default.moveItem(atPath: path + companion, toPath: path + ".away" + companion)
        }
        let other = try SQLiteStore(path: folder.file("other.db"))
        try other.create(Fixtures.key("b"))
        try other.checkpoint()
        try FileManager.default.copyItem(atPath: folder.file("other.db"), toPath: path)
        #expect(try store.keys().map(\.id) == ["b"])
        #expect(try store.changeCounter() != before)
    }

    /// Runs `body` with this thread's file accesses judged as those of nobody, whom root's privileges do not help.
    private func asStranger<Result>(_ body: () -> Result) -> Result {
        guard geteuid() == 0 else { return body() }
        _ = setFileSystemUser(65_534)
        defer { _ = setFileSystemUser(0) }
        return body()
    }
}
