internal import Transport

/// The `listen` and `admin` directives.
struct ListenerChecker {
    let context: CheckContext
    let hasTLS: Bool
    let trustsProxies: Bool
    let allowsInsecure: Bool

    func check(_ directives: [Directive]) -> [Listener] {
        var found: [Listener] = []
        var addresses: Set<SocketAddress> = []
        for directive in directives {
            guard let listener = listener(directive) else { continue }
            guard addresses.insert(listener.address).inserted else {
                context.error(
                    "a second listener on \(listener.address)", at: directive.arguments[0],
                    suggestion: "an address can have one: remove this")
                continue
            }
            found.append(listener)
        }
        return found
    }

    private func listener(_ directive: Directive) -> Listener? {
        let words = directive.arguments
        let address = address(words[0])
        let kind: Listener.Kind? = context.choice(
            words[1], ["tls": .tls, "redirect": .redirect, "plain": .plain],
            others: ["ssl": "tls", "https": "tls", "http": "plain"])
        let proxies = words.count > 2 ? context.choice(words[2], ["proxy_protocol": true]) : false
        guard let address, let kind, let proxies else { return nil }
        if kind != .plain, !hasTLS {
            context.error(
                "'\(words[1].text)' needs a 'tls' block", at: words[1],
                suggestion: "add 'tls { certificate cert.pem file:key.pem; }'")
        }
        if kind == .plain { refuseExposed(address, words[0], what: "a 'plain' listener") }
        if proxies, !trustsProxies, !address.isUnix {
            context.error(
                "'proxy_protocol' without 'trusted_proxies': every connection would be closed", at: words[2],
                suggestion: "add 'trusted_proxies NETWORK;' with your proxies' addresses")
        }
        return Listener(address: address, kind: kind, proxyProtocol: proxies)
    }

    func admin(_ directive: Directive, beside listeners: [Listener]) -> SocketAddress? {
        let word = directive.arguments[0]
        guard let address = address(word) else { return nil }
        refuseExposed(address, word, what: "'admin'")
        if listeners.contains(where: { $0.address == address }) {
            context.error(
                "'admin' on the address of a listener", at: word, suggestion: "give it a port of its own")
        }
        return address
    }

    private func address(_ word: Word) -> SocketAddress? {
        do throws(AddressText.Problem) {
            return try AddressText.address(word)
        } catch {
            context.error(error.message, at: word, suggestion: error.suggestion)
            return nil
        }
    }

    private func refuseExposed(_ address: SocketAddress, _ word: Word, what: String) {
        guard !address.isLocal, !allowsInsecure else { return }
        context.error(
            "\(what) on \(address) is open to other machines, and nothing there is encrypted", at: word,
            suggestion: "use 127.0.0.1, [::1] or unix:PATH, or say 'allow_insecure on;'")
    }
}
