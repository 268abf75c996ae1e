/// Finds the word that was meant.
enum Spelling {
    /// `did you mean 'accept'?`, when one of `candidates` is close to `word`.
    static func suggestion(for word: String, among candidates: some Sequence<String>) -> String? {
        nearest(to: word, among: candidates).map { "did you mean '\($0)'?" }
    }

    /// The candidate that is closest to `word`: at most one edit for every three letters.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let scalars = Array(word.unicodeScalars.prefix(65))
        guard scalars.count <= 64 else { return nil }
        var best: (candidate: String, distance: Int)?
        for candidate in candidates where candidate != word {
            let other = Array(candidate.unicodeScalars)
            if candidate.lowercased() == word.lowercased() { return candidate }
            guard other.count <= 64 else { continue }
            let distance = distance(scalars, other)
            let allowed = max(1, max(scalars.count, other.count) / 3)
            if distance <= allowed, distance < min(scalars.count, other.count), distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.candidate
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                var cost = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
