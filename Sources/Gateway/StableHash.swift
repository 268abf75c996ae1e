/// FNV-1a: the same on every shard and after a restart, so that `balance hash` keeps meeting the same server.
enum StableHash {
    static func of(_ bytes: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
        // The low bits of FNV mix poorly for short input; choosing among few servers looks at them.
        return hash ^ hash >> 32
    }
}
