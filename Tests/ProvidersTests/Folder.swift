import Foundation

/// A folder of its own for one test, removed with it.
final class Folder: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "providers-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ text: String) {
        try? Data(text.utf8).write(to: URL(filePath: file(name)))
    }

    func makeFolder(_ name: String) {
        try? FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
    }

    func contents(_ name: String) -> String? { try? String(contentsOf: URL(filePath: file(name)), encoding: .utf8) }

    /// What is in it, sorted.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

    func mode(_ name: String) -> Int? {
        try? FileManager.default.attributesOfItem(atPath: file(name))[.posixPermissions] as? Int
    }
}
