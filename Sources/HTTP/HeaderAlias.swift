/// Names of one header as applications behind CGI's rules see them: case does not matter, and what is no letter or digit
/// is one separator (oauth2-proxy CVE-2025-64484).
public enum HeaderAlias {
    /// Whether `name` would reach such an application under the same name as `other`.
    @inline(__always)
    public static func isAlias(_ name: Span<UInt8>, of other: [UInt8]) -> Bool {
        guard name.count == other.count else { return false }
        for index in 0..<name.count where fold(name[index]) != fold(other[index]) { return false }
        return true
    }

    @inline(__always)
    private static func fold(_ byte: UInt8) -> UInt8 {
        FieldSyntax.isAlphanumeric(byte) ? byte | 0x20 : UInt8(ascii: "-")
    }
}
