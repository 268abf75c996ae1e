import Glibc

/// What the libraries say about themselves at run time, which may differ from the headers of the build.
///
/// They are asked by name: importing their C modules next to Foundation is what the compiler refuses, since CLinux sees the
/// system's headers with GNU extensions and those modules do not.
enum LibraryVersion {
    /// `nghttp2_info`; the text is the library's own constant.
    @unsafe private struct NGHTTP2Information {
        var age: Int32
        var number: Int32
        var text: UnsafePointer<CChar>?
    }

    /// `OpenSSL 3.0.19 27 Jan 2026`
    static var openSSL: String? {
        guard let symbol = unsafe dlsym(nil, "OpenSSL_version") else { return nil }
        let ask = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int32) -> UnsafePointer<CChar>?).self)
        return unsafe ask(0).map { unsafe String(cString: $0) }
    }

    /// `1.52.0`
    static var nghttp2: String? {
        guard let symbol = unsafe dlsym(nil, "nghttp2_version") else { return nil }
        let ask = unsafe unsafeBitCast(symbol, to: (@convention(c) (Int32) -> UnsafeRawPointer?).self)
        guard let answer = unsafe ask(0) else { return nil }
        return unsafe answer.load(as: NGHTTP2Information.self).text.map { unsafe String(cString: $0) }
    }
}
