internal import HTTP
internal import Transport

/// The `tls` block.
struct TLSChecker {
    let context: CheckContext

    func check(_ block: Directive) -> TLS? {
        var identities: [TLSIdentity] = []
        var minimumVersion = TLSVersion.v12
        var clientAuthority: TLSClientAuthority?
        let directives = context.known(block.block ?? [], in: .tls)
        for directive in directives {
            switch directive.name.text {
            case "certificate":
                if let identity = identity(directive.arguments[0], key: directive.arguments[1]) {
                    identities.append(identity)
                }
            case "min_version":
                let versions: KeyValuePairs<String, TLSVersion> = ["1.2": .v12, "1.3": .v13]
                minimumVersion =
                    context.choice(directive.arguments[0], versions, others: ["tlsv1.2": "1.2", "tlsv1.3": "1.3"])
                    ?? .v12
            case "client_ca": clientAuthority = authority(directive.arguments[0], mode: directive.arguments[1])
            default: break
            }
        }
        if !context.attempts("certificate", in: block, .tls) {
            context.error(
                "'tls' without 'certificate'", at: block.name, suggestion: "add 'certificate cert.pem file:key.pem;'")
        }
        guard !identities.isEmpty else { return nil }
        return TLS(identities: identities, minimumVersion: minimumVersion, clientAuthority: clientAuthority)
    }

    private func identity(_ certificate: Word, key: Word) -> TLSIdentity? {
        let chain = context.contents(of: certificate.text, certificate)
        let secret = context.secret(key)
        guard let chain, let secret else { return nil }
        do throws(TLSError) {
            let identity = try TLSIdentity(certificatePEM: chain.bytes, privateKeyPEM: secret)
            if identity.notAfter < context.now {
                context.diagnostics.warning(
                    "certificate \(certificate.text): it expired at \(HTTPDate.iso8601(identity.notAfter))",
                    at: certificate.span, suggestion: "renew it: clients refuse it")
            }
            return identity
        } catch {
            report(error, certificate, key)
            return nil
        }
    }

    /// Transport judges both files at once: the key is to blame when the sentence is about it.
    private func report(_ error: TLSError, _ certificate: Word, _ key: Word) {
        guard error.message.contains("key") else {
            context.error(
                "certificate \(certificate.text): \(error.message)", at: certificate, suggestion: "name a PEM file")
            return
        }
        let isForeign = error.message.contains("does not belong")
        context.error(
            isForeign
                ? "certificate \(certificate.text): the private key \(key.text) does not belong to it"
                : "certificate \(certificate.text): \(key.text): \(error.message)",
            at: key, suggestion: "name the key that the certificate was made for")
    }

    private func authority(_ file: Word, mode: Word) -> TLSClientAuthority? {
        let contents = context.contents(of: file.text, file)
        let modes: KeyValuePairs<String, TLSClientAuthority.Mode> = ["optional": .optional, "required": .required]
        let mode = context.choice(mode, modes, others: ["on": "required", "off": "optional"])
        guard let contents, let mode else { return nil }
        do throws(TLSError) {
            return try TLSClientAuthority(pem: contents.bytes, mode: mode)
        } catch {
            context.error("client_ca \(file.text): \(error.message)", at: file, suggestion: "name a PEM file")
            return nil
        }
    }
}
