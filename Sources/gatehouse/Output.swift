import Foundation
import JOSE

/// What commands print: results on stdout, everything else on stderr.
enum Output {
    static func error(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    /// A question on stderr, whose answer stands on the same line.
    static func prompt(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    static func json(_ object: JSONObject) { print(String(decoding: JSONWriter.encode(object), as: UTF8.self)) }

    /// Left-aligned columns under their headings, two blanks apart; columns without any content are left out.
    static func table(_ headings: [String], _ rows: [[String]]) {
        let used = headings.indices.filter { column in rows.isEmpty || rows.contains { !$0[column].isEmpty } }
        let widths = used.map { column in
            ([headings] + rows).map { $0[column].count }.max() ?? 0
        }
        for row in [headings] + rows {
            let cells = zip(used, widths).map { column, width in
                printable(row[column]) + String(repeating: " ", count: width - row[column].count)
            }
            let line = cells.joined(separator: "  ")
            print(String(line.reversed().drop { $0 == " " }.reversed()))
        }
    }

    /// What somebody else wrote, without what would move a terminal's cursor.
    static func printable(_ text: String) -> String {
        String(
            text.map { character in
                character.unicodeScalars.contains { $0.properties.generalCategory == .control } ? "\u{FFFD}" : character
            })
    }
}
