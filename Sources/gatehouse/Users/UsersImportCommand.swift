import ArgumentParser
import Foundation
import Identity

/// `gatehouse users import`
struct UsersImportCommand: ParsableCommand {
    /// Bytes of a table at most.
    private static let largestTable = 256 << 20
    /// Bad lines that are named at most.
    private static let namedAtMost = 100

    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Add everybody of a table with their hashed passwords, or nobody.",
        discussion: """
            One JSON object a line: "email" and "password", a hash as Django writes it (pbkdf2_sha256$…, pbkdf2_sha1$…, \
            scrypt$…) or $scrypt$…; and, if they are known, "id", "firstName", "lastName" and "disabled". A hash becomes \
            ours at the first login.
            """)

    @OptionGroup var options: ConfigurationOption
    @Argument(help: "The table, or - for stdin.") var file: String

    func run() throws {
        let bytes = try read()
        let outcome = try UsersCommand.perform(options) { service throws(UserService.Failure) in
            try service.importTable(bytes)
        }
        switch outcome {
        case .added(let count): print("added \(count) \(count == 1 ? "user" : "users")")
        case .refused(let lines):
            for line in lines.prefix(Self.namedAtMost) {
                Output.error("\(file):\(line.number): error: \(Output.printable(line.reason))")
            }
            if lines.count > Self.namedAtMost { Output.error("and \(lines.count - Self.namedAtMost) more") }
            throw CommandFailure("nobody was added: \(lines.count) of the lines cannot be")
        }
    }

    private func read() throws -> [UInt8] {
        if file == "-" { return try StandardInput.read(limit: Self.largestTable) }
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw CommandFailure("\(file): the table cannot be read")
        }
        let data = try handle.read(upToCount: Self.largestTable + 1) ?? Data()
        guard data.count <= Self.largestTable else {
            throw CommandFailure("\(file): larger than \(Self.largestTable >> 20) MiB; split it")
        }
        return Array(data)
    }
}
