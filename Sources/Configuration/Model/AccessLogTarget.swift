/// Where the access log's JSON lines go.
public enum AccessLogTarget: Sendable, Hashable {
    /// Nowhere.
    case off
    /// Standard output.
    case standardOutput
    /// A file that is appended to and opened again on SIGUSR1.
    case file(String)
}
