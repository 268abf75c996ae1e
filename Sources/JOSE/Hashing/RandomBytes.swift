import COpenSSL

/// Bytes that nobody can foresee, from OpenSSL's generator.
public enum RandomBytes {
    /// `count` random bytes. Without randomness nothing here is safe: the process then ends.
    public static func make(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        if count == 0 { return bytes }
        let result = unsafe bytes.withUnsafeMutableBufferPointer {
            unsafe RAND_bytes($0.baseAddress, Int32($0.count))
        }
        guard result == 1 else { fatalError("no random bytes can be had from the system") }
        return bytes
    }
}
