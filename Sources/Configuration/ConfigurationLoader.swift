internal import Glibc

/// Reads gateway.conf in three phases with three types: tokens → `ConfigurationFile` (words with positions) →
/// `Configuration` (checked, immutable).
public enum ConfigurationLoader {
    /// The configuration in the file at `path` and every file that it names; `environment` answers `env:NAME`.
    ///
    /// Throws everything that is wrong, not only the first. Blocks on files: call it off the shards.
    public static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        try load(files: .disk, environment: environment) { $0.file(path: path) }
    }

    /// The configuration in `text`, as if it stood in the file at `path`.
    public static func load(
        text: [UInt8], path: String, environment: [String: String], files: FileAccess = .disk
    ) throws(ConfigurationErrors) -> Configuration {
        try load(files: files, environment: environment) { $0.file(name: path, bytes: text) }
    }

    /// `now` is what certificates are compared with, in seconds since 1970.
    static func load(
        files: FileAccess, environment: [String: String], now: Int64 = Int64(time(nil)),
        _ read: (Parser) -> ConfigurationFile
    ) throws(ConfigurationErrors) -> Configuration {
        let diagnostics = DiagnosticCollector()
        let file = read(Parser(files: files, diagnostics: diagnostics))
        let context = CheckContext(
            diagnostics: diagnostics, files: files, environment: environment, now: now)
        var configuration = ConfigurationChecker(context: context).check(file)
        guard !diagnostics.hasErrors else { throw ConfigurationErrors(diagnostics: diagnostics.sorted) }
        configuration.warnings = diagnostics.sorted
        return configuration
    }
}
