import ArgumentParser
import Foundation

/// `file:PATH` or `env:NAME`: where a secret is, never the secret.
struct SecretReference: ExpressibleByArgument {
    private enum Place {
        case file(String)
        case environment(String)
        /// Neither: it may be a secret that somebody wrote inline, so it is not kept, and no message repeats it.
        case nowhere
    }

    private let place: Place

    var isReference: Bool { if case .nowhere = place { false } else { true } }

    init(argument: String) {
        if argument.hasPrefix("file:") {
            place = .file(String(argument.dropFirst(5)))
        } else if argument.hasPrefix("env:") {
            place = .environment(String(argument.dropFirst(4)))
        } else {
            place = .nowhere
        }
    }

    /// The bytes; refused when others could read them.
    func read() throws -> [UInt8] {
        switch place {
        case .nowhere: throw CommandFailure("a key is named by file:PATH or env:NAME")
        case .environment(let name):
            guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else {
                throw CommandFailure("environment variable \(name) is not set or empty")
            }
            return Array(value.utf8)
        case .file(let path):
            guard let contents = FileManager.default.contents(atPath: path), !contents.isEmpty,
                let mode = try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            else { throw CommandFailure("\(path): the key cannot be read, or is empty") }
            guard mode & 0o077 == 0 else {
                throw CommandFailure("\(path): others can reach the key; run: chmod 600 \(path)")
            }
            return Array(contents)
        }
    }

    /// The same without the line end that an editor puts behind a text; a binary secret is taken whole.
    func readSecret() throws -> [UInt8] {
        let bytes = try read()
        guard bytes.last == UInt8(ascii: "\n") else { return bytes }
        let body = bytes.dropLast(bytes.dropLast().last == UInt8(ascii: "\r") ? 2 : 1)
        return body.allSatisfy { (0x20...0x7E).contains($0) } ? Array(body) : bytes
    }
}
