/// The text of one configuration file, for tokens to point into. Immutable.
final class SourceFile: Sendable {
    /// As it was named: the argument of `-c`, or the folder of the including file and the included name.
    let name: String
    /// In the order in which files were opened.
    let index: Int
    let bytes: [UInt8]
    private let lineStarts: [Int]

    init(name: String, index: Int, bytes: [UInt8]) {
        self.name = name
        self.index = index
        self.bytes = bytes
        lineStarts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    /// What relative names in this file are relative to: ends in `/`, or is empty for the working directory.
    var folder: String {
        guard let slash = name.lastIndex(of: "/") else { return "" }
        return String(name[...slash])
    }

    /// The path of `name` as this file means it.
    func resolve(_ name: String) -> String { name.hasPrefix("/") ? name : folder + name }

    /// The line of `offset`, from 0.
    func lineIndex(of offset: Int) -> Int {
        var low = 0
        var high = lineStarts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low
    }

    /// The bytes of line `index`, without its end.
    func lineRange(_ index: Int) -> Range<Int> {
        let start = lineStarts[index]
        var end = index + 1 < lineStarts.count ? lineStarts[index + 1] - 1 : bytes.count
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    /// The text of `range`; what is no UTF-8 becomes U+FFFD.
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
