import Configuration
import HTTP
import Transport

/// Who is at the other end, as far as it can be known: what failed logins are counted by.
enum ClientAddress {
    /// The peer, or, when that is a trusted proxy, the last address of `X-Forwarded-For` that is none of ours.
    static func of(_ exchange: Exchange, _ client: ClientPeer) -> String {
        let peer = String(decoding: client.address, as: UTF8.self)
        guard client.isTrusted, let buffer = exchange.headBuffer else { return peer }
        let trusted = exchange.serving.configuration.trustedProxies
        var hops: [String] = []
        for field in exchange.head.fields where field.id == .xForwardedFor && !field.isAlias {
            let value = String(decoding: buffer.readable.copy(field.value.range), as: UTF8.self)
            hops += value.split(separator: ",").map { String($0.trimmingBlanks()) }
        }
        for hop in hops.reversed() {
            guard let address = SocketAddress(host: hop, port: 1) else { return peer }
            if !trusted.contains(where: { $0.contains(address) }) { return address.hostText }
        }
        return peer
    }
}

extension Substring {
    fileprivate func trimmingBlanks() -> Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
