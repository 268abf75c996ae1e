/// Buffers between two uses, newest first, so that the warm ones are used again.
///
/// Invariant: confined to its shard's queue.
public final class BufferPool {
    /// What a buffer from the pool holds at least: one TLS record and a little.
    public static let bufferCapacity = 17 * 1024
    /// Buffers that grew beyond this are not kept.
    private static let largestKept = 80 * 1024
    /// Buffers kept at most: about 4 MiB a shard.
    private static let keptAtMost = 256

    private var free: [ByteBuffer] = []

    /// An empty buffer.
    @inline(__always)
    public func take() -> ByteBuffer {
        free.popLast() ?? ByteBuffer(capacity: Self.bufferCapacity)
    }

    /// Gives a buffer back; its bytes are gone.
    @inline(__always)
    public func give(_ buffer: consuming ByteBuffer) {
        guard free.count < Self.keptAtMost, buffer.capacity <= Self.largestKept else { return }
        buffer.removeAll()
        free.append(buffer)
    }
}
