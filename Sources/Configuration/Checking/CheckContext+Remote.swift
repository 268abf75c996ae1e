internal import Transport

extension CheckContext {
    /// A URL that the gateway will ask, or nil and an error.
    func remoteURL(_ word: Word, of name: String) -> RemoteURL? {
        if let url = RemoteURL(word.text) { return url }
        let isUnencrypted = word.text.lowercased().hasPrefix("http://")
        error(
            isUnencrypted
                ? "'\(name)' over unencrypted http: anybody on the way could answer"
                : "'\(word.text.clipped)' is no URL for '\(name)'",
            at: word,
            suggestion: isUnencrypted ? "write 'https://…'" : "write one like https://login.example.com/path")
        return nil
    }

    /// The authorities in a PEM file, or nil and an error.
    func trust(_ file: Word) -> TLSTrust? {
        guard let contents = contents(of: file.text, file) else { return nil }
        do throws(TLSError) {
            return try TLSTrust(pem: contents.bytes)
        } catch {
            self.error("ca \(file.text): \(error.message)", at: file, suggestion: "name a PEM file")
            return nil
        }
    }

    /// Whether a word may be a client's name in Basic authentication (RFC 7617 §2: no colon).
    func isClientName(_ word: Word) -> Bool {
        let isGood =
            (1...128).contains(word.text.utf8.count)
            && word.text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }
        if !isGood {
            error(
                "'\(word.text.clipped)' is no name for a client", at: word,
                suggestion: "write 1 to 128 visible ASCII characters without ':'")
        }
        return isGood
    }
}
