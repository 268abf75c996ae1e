/// The `resource` block.
struct ResourceChecker {
    let context: CheckContext

    /// What it says; nil when there were errors.
    func check(_ block: Directive) -> ProtectedResource? {
        let directives = context.known(block.block ?? [], in: .resource)
        guard let identifier = context.httpsURL(block.arguments[0], of: "resource") else { return nil }
        var result = ProtectedResource(identifier: identifier)
        for directive in directives {
            switch directive.name.text {
            case "authorization_server":
                result.authorizationServers += directive.arguments.compactMap {
                    context.httpsURL($0, of: "authorization_server")
                }
            case "scopes":
                for word in directive.arguments {
                    if word.text.isEmpty || !word.text.utf8.allSatisfy(Self.isScopeByte) {
                        context.error(
                            "'\(word.text.clipped)' is no scope", at: word,
                            suggestion: "write each as a word of its own, like 'scopes query manage;'")
                    } else {
                        result.scopes.append(word.text)
                    }
                }
            default: break
            }
        }
        if result.authorizationServers.isEmpty, !context.attempts("authorization_server", in: block, .resource) {
            context.error(
                "resource without 'authorization_server': clients could not find out where to log in", at: block.name,
                suggestion: "add 'authorization_server https://login.example.com;'")
        }
        return result
    }

    /// RFC 6749 §3.3.
    private static func isScopeByte(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}

extension CheckContext {
    /// An https URL of visible ASCII with a host, without user, query and fragment, or nil and an error.
    func httpsURL(_ word: Word, of name: String) -> String? {
        let text = word.text
        if namesUser(word, of: name) { return nil }
        guard text.lowercased().hasPrefix("https://") else {
            let isPlain = text.lowercased().hasPrefix("http://")
            error(
                isPlain
                    ? "'\(name)' over unencrypted http: anybody on the way could answer"
                    : "'\(text.clipped)' is no https URL",
                at: word, suggestion: isPlain ? "write 'https://…'" : "write one like https://login.example.com")
            return nil
        }
        guard RemoteURL(text) != nil, !text.contains("?") else {
            error(
                "'\(text.clipped)' is no URL for '\(name)'", at: word,
                suggestion: "write 'https://', a host and a path, without user, query and fragment")
            return nil
        }
        return text
    }
}
