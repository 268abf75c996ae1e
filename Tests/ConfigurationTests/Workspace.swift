import Glibc

@testable import Configuration

/// A folder with a configuration and what it names, removed at the end.
final class Workspace {
    let path: String

    init(_ files: [String: String] = [:]) {
        var template = Array("/tmp/configuration-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe buffer.baseAddress.flatMap { unsafe mkdtemp($0) }.map { unsafe String(cString: $0) } ?? "/nowhere"
        }
        write("cert.pem", Fixtures.certificate, mode: 0o644)
        write("key.pem", Fixtures.key)
        write("other.pem", Fixtures.otherKey)
        write("public.pem", Fixtures.publicKey, mode: 0o644)
        write("open.key", Fixtures.secret, mode: 0o644)
        write("hs256.key", Fixtures.secret)
        write("short.key", "too short")
        write("empty.key", "")
        write("keys.json", #"{"keys":[{"kty":"what"}]}"#, mode: 0o644)
        for (name, text) in files { write(name, text, mode: 0o644) }
    }

    deinit {
        for name in written { unsafe unlink("\(path)/\(name)") }
        for name in written { unsafe rmdir("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    private var written: [String] = []

    func write(_ name: String, _ text: String, mode: mode_t = 0o600) {
        let parts = name.split(separator: "/")
        if parts.count > 1 {
            unsafe mkdir("\(path)/\(parts[0])", 0o700)
            written.append(String(parts[0]))
        }
        written.append(name)
        let descriptor = unsafe open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, mode)
        var text = text
        _ = text.withUTF8 { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        fchmod(descriptor, mode)
        close(descriptor)
    }

    /// What the loader says about `text` as the configuration here: the configuration, or the errors.
    func load(
        _ text: String, environment: [String: String] = [:], now: Int64 = 1_800_000_000
    ) -> Result<Configuration, ConfigurationErrors> {
        write("gateway.conf", text, mode: 0o644)
        return Result { () throws(ConfigurationErrors) in
            try ConfigurationLoader.load(files: .disk, environment: environment, now: now) {
                $0.file(path: "\(path)/gateway.conf")
            }
        }
    }

    /// Every diagnostic about `text` as `line:column: severity: message; suggestion`, without this folder's path.
    func findings(_ text: String, environment: [String: String] = [:], now: Int64 = 1_800_000_000) -> [String] {
        let diagnostics =
            switch load(text, environment: environment, now: now) {
            case .success(let configuration): configuration.warnings
            case .failure(let errors): errors.diagnostics
            }
        return diagnostics.map { diagnostic in
            let file = diagnostic.file.hasSuffix("/gateway.conf") ? "" : diagnostic.file + ":"
            let suggestion = diagnostic.suggestion.map { "; \($0)" } ?? ""
            let all =
                "\(file)\(diagnostic.line):\(diagnostic.column): \(diagnostic.severity): \(diagnostic.message)\(suggestion)"
            return without(path: all)
        }
    }

    private func without(path text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let range = rest.firstRange(of: path + "/") {
            result += rest[..<range.lowerBound]
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
