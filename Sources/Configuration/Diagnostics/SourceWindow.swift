/// The part of a source line that is shown under a message: never longer than a terminal bears, nothing that moves
/// its cursor.
struct SourceWindow {
    private static let widest = 160

    let text: String
    let padding: String
    let length: Int

    init(line: String, column: Int, length: Int) {
        let scalars = Array(line.unicodeScalars)
        let start = min(max(column - 1, 0), scalars.count)
        let from = start > Self.widest / 2 && scalars.count > Self.widest ? start - Self.widest / 4 : 0
        let to = min(scalars.count, from + Self.widest)
        let shown = scalars[from..<to].map(Self.printable)
        let lead = from > 0 ? "…" : ""
        text = lead + Self.string(shown) + (to < scalars.count ? "…" : "")
        padding = (from > 0 ? " " : "") + Self.string(shown[..<(start - from)].map { $0 == "\t" ? "\t" : " " })
        self.length = max(1, min(length, to - start))
    }

    private static func printable(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar != "\t" && scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
    }

    private static func string(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
