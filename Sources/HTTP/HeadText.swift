/// A head as text.
public enum HeadText {
    /// Bytes up to and with the empty line; all of them when there is none.
    public static func length(_ bytes: Span<UInt8>) -> Int {
        var place = 0
        while place &+ 4 <= bytes.count {
            if bytes[place] == 0x0d, bytes[place &+ 1] == 0x0a, bytes[place &+ 2] == 0x0d, bytes[place &+ 3] == 0x0a {
                return place &+ 4
            }
            place &+= 1
        }
        return bytes.count
    }
}
