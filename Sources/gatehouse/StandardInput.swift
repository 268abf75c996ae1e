import Foundation

/// What a command is given without its standing in argv, where every user of the machine could read it.
enum StandardInput {
    /// Everything up to the end of stdin.
    static func read(limit: Int) throws -> [UInt8] {
        let data = try FileHandle.standardInput.read(upToCount: limit + 1) ?? Data()
        guard data.count <= limit else { throw CommandFailure("stdin holds more than \(limit) bytes") }
        return Array(data)
    }
}
