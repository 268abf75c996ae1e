/// Reads gateway.conf in three phases with three types: tokens → `ConfigurationFile` (words with positions) →
/// `Configuration` (checked, immutable).
public enum ConfigurationLoader {
    /// The configuration in the file at `path` and every file that it names; `environment` answers `env:NAME`.
    ///
    /// Throws everything that is wrong, not only the first.
    public static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        throw ConfigurationErrors(diagnostics: [])
    }

    /// The configuration in `text`, as if it stood in the file at `path`.
    public static func load(
        text: [UInt8], path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        throw ConfigurationErrors(diagnostics: [])
    }
}
