/// The parts of a `Host` that was checked when the head was read.
enum HostName {
    /// The name in lower case, without its port.
    static func withoutPort(_ host: Span<UInt8>) -> String {
        var end = host.count
        var index = host.count - 1
        while index >= 0 {
            let byte = host[index]
            if byte == UInt8(ascii: ":") {
                end = index
                break
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { break }
            index -= 1
        }
        var text: [UInt8] = []
        text.reserveCapacity(end)
        for place in 0..<end {
            let byte = host[place]
            text.append(byte >= 65 && byte <= 90 ? byte | 0x20 : byte)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
