internal import Transport

extension CheckContext {
    /// A URL that the gateway will ask, or nil and an error.
    func remoteURL(_ word: Word, of name: String) -> RemoteURL? {
        if let url = RemoteURL(word.text) { return url }
        if namesUser(word, of: name) { return nil }
        let isUnencrypted = word.text.lowercased().hasPrefix("http://")
        error(
            isUnencrypted
                ? "'\(name)' over unencrypted http: anybody on the way could answer"
                : "'\(word.text.clipped)' is no URL for '\(name)'",
            at: word,
            suggestion: isUnencrypted ? "write 'https://…'" : "write one like https://login.example.com/path")
        return nil
    }

    /// A URL with a user, and so perhaps a password, is an error that does not repeat it.
    func namesUser(_ word: Word, of name: String) -> Bool {
        guard word.text.contains("://"), word.text.contains("@") else { return false }
        diagnostics.error(
            "the URL of '\(name)' names a user", at: word.span, suggestion: "remove what stands before '@'",
            isSecret: true)
        return true
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

    /// The secret of `client NAME SECRET`, or nil and an error. Where they are swapped, or the secret is written inline, neither is
    /// repeated.
    func clientSecret(_ words: [Word]) -> [UInt8]? {
        let isReference = { (word: Word) in word.text.hasPrefix("file:") || word.text.hasPrefix("env:") }
        let looksLikeName = NameSyntax.isIdentifier(words[0].text) && words[0].text.utf8.count < 24
        if !isReference(words[0]), isReference(words[1]) || looksLikeName { return secret(words[1]) }
        let isSwapped = isReference(words[0]) && !isReference(words[1])
        let first = words[0].span
        diagnostics.error(
            "'client' takes a name, then its secret as 'file:PATH' or 'env:NAME'",
            at: SourceSpan(
                first.file, first.range.lowerBound..<max(words[1].span.range.upperBound, first.range.upperBound)),
            suggestion: isSwapped ? "swap the two" : "move the secret to a file that only you can read",
            isSecret: !isSwapped)
        return nil
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
