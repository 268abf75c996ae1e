public import Configuration
internal import HTTP
internal import JOSE

extension Principal {
    /// The value by which a claim goes to the upstream: a string, an integer or a boolean as it is, the words of a scope and
    /// the members of an array joined by commas. Nil, so that there is no header, where the claim is absent, is something
    /// else, is longer than `ClaimInjection.valueAtMost`, or holds anything but visible ASCII; a member of an array must
    /// not hold the comma either.
    public func header(for injection: ClaimInjection) -> [UInt8]? {
        guard let claims, let value = claims.claims[injection.claim] else { return nil }
        let isList: Bool
        switch value {
        case .array: isList = true
        case .string: isList = injection.claim == "scope"
        default: isList = false
        }
        guard let parts = claims.values(of: injection.claim), !parts.isEmpty else { return nil }
        if case .array(let members) = value, members.count != parts.count { return nil }
        var text: [UInt8] = []
        for part in parts {
            let bytes = Array(part.utf8)
            guard FieldSyntax.isVisibleASCII(bytes.span), !isList || !bytes.contains(UInt8(ascii: ",")) else {
                return nil
            }
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text += bytes
            guard text.count <= ClaimInjection.valueAtMost else { return nil }
        }
        return text.isEmpty ? nil : text
    }
}
