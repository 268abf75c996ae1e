/// Which lines of a trailer section go on.
public enum TrailerLines {
    /// The complete lines of `section` whose names are not known ones: those could frame, route, authenticate or identify
    /// (RFC 9110 §6.5.1). Empty when a line is malformed.
    public static func kept(_ section: Span<UInt8>) -> [UInt8] {
        var kept: [UInt8] = []
        var place = 0
        var line = FieldLine(.shared)
        while place < section.count {
            guard case .field = line.parse(section, from: place) else { return [] }
            if line.id == .other {
                for index in place..<line.next { kept.append(section[index]) }
            }
            place = line.next
        }
        return kept
    }
}
