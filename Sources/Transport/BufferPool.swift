/// Buffers between two uses, newest first, so that the warm ones are used again.
///
/// Invariant: confined to its shard's queue. `take` and `give` are not inlined: where they were, each use held on to the
/// pool, which cost more than the call.
public final class BufferPool {
    /// What a buffer from the pool holds at least: one TLS record and a little.
    public static let bufferCapacity = 17 * 1024
    /// Buffers that grew beyond this are not kept.
    private static let largestKept = 80 * 1024
    /// Buffers kept at most: about 4 MiB a shard.
    private static let keptAtMost = 256

    private var free: [ByteBuffer] = []

    /// An empty buffer.
    @inline(never)
    public func take() -> ByteBuffer {
        free.popLast() ?? ByteBuffer(capacity: Self.bufferCapacity)
    }

    /// Gives a buffer back; its bytes are gone.
    @inline(never)
    public func give(_ buffer: consuming ByteBuffer) {
        guard free.count < Self.keptAtMost, buffer.capacity <= Self.largestKept else { return }
        buffer.removeAll()
        free.append(buffer)
    }

    /// Gives back the buffer that stands there, if there is one, and leaves none.
    @inline(__always)
    public func give(from place: inout ByteBuffer?) {
        if let buffer = place.take() { give(buffer) }
    }
}
