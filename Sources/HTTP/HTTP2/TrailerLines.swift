/// Which lines of a trailer section go on.
public enum TrailerLines {
    /// The complete lines of `section` whose names are not known ones: those could frame, route, authenticate or identify
    /// (RFC 9110 §6.5.1). Empty when a line is malformed.
    public static func kept(_ section: Span<UInt8>) -> [UInt8] {
        var kept: [UInt8] = []
        var place = 0
        var line = FieldLine()
        while place < section.count {
            guard case .field = line.parse(section, from: place, .shared) else { return [] }
            if line.id == .other {
                for index in place..<line.next { kept.append(section[index]) }
            }
            place = line.next
        }
        return kept
    }

    /// The complete lines of `section` whose names `isExcluded` does not hold for.
    public static func without(_ section: [UInt8], _ isExcluded: (Span<UInt8>) -> Bool) -> [UInt8] {
        let bytes = section.span
        var kept: [UInt8] = []
        var place = 0
        var line = FieldLine()
        while place < bytes.count {
            guard case .field = line.parse(bytes, from: place, .shared) else { return [] }
            if !isExcluded(bytes.extracting(line.name.range)) {
                for index in place..<line.next { kept.append(bytes[index]) }
            }
            place = line.next
        }
        return kept
    }
}
