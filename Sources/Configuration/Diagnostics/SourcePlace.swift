/// A place in a configuration file.
public struct SourcePlace: Sendable, Hashable {
    /// The file, as it was named.
    public let file: String
    /// From 1; 0 when the file as a whole is meant.
    public let line: Int
    /// From 1, in Unicode scalars.
    public let column: Int

    /// A place.
    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `gateway.conf:14:5`
    public var text: String { line == 0 ? file : "\(file):\(line):\(column)" }
}
