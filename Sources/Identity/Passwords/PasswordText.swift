internal import Foundation

/// A password as people type it.
public enum PasswordText {
    /// Bytes of a password at most.
    public static let longest = 1_024

    /// Whether it may be a password: 1 to `longest` bytes without NUL.
    public static func isAcceptable(_ text: String) -> Bool {
        (1...longest).contains(text.utf8.count) && !text.utf8.contains(0)
    }

    /// Its bytes in NFC, so that it is the same from every keyboard (RFC 8265 §4.2).
    static func normalized(_ text: String) -> [UInt8] {
        text.utf8.allSatisfy { $0 < 0x80 } ? Array(text.utf8) : Array(text.precomposedStringWithCanonicalMapping.utf8)
    }

    /// What a hash of it may have been made of: NFC, and, where that is something else, the bytes as they were sent.
    static func forms(_ text: String) -> [[UInt8]] {
        let (normal, sent) = (normalized(text), Array(text.utf8))
        return sent == normal ? [normal] : [normal, sent]
    }
}

/// The address that a person logs in with.
public enum EmailAddress {
    /// Bytes of an address at most (RFC 5321 §4.5.3.1.3, without the angle brackets).
    public static let longest = 254

    /// NFC in lower case; nil when it is no address: 3 to `longest` bytes, one `@` with something on both sides, without
    /// blanks and control characters.
    public static func normalized(_ text: String) -> String? {
        guard (3...longest).contains(text.utf8.count) else { return nil }
        let normal = text.precomposedStringWithCanonicalMapping.lowercased().precomposedStringWithCanonicalMapping
        let parts = normal.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), normal.utf8.count <= longest else { return nil }
        let isPlain = normal.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .unassigned, .spaceSeparator, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
        return isPlain ? normal : nil
    }
}
