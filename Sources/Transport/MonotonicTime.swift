import CLinux

/// A point on the monotonic clock, for timers and time-outs: it never jumps when the wall clock is set.
public struct MonotonicTime: Comparable, Sendable, Hashable {
    /// Nanoseconds since an arbitrary start.
    public let nanoseconds: Int64

    /// The point at `nanoseconds`.
    @inline(__always)
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The present.
    @inline(__always)
    public static func now() -> MonotonicTime { MonotonicTime(nanoseconds: clinux_monotonic_nanoseconds()) }

    /// A point that is never reached.
    public static let distantFuture = MonotonicTime(nanoseconds: .max)

    /// Earlier comes first.
    @inline(__always)
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The point `nanoseconds` later; saturates.
    @inline(__always)
    public func advanced(byNanoseconds nanoseconds: Int64) -> MonotonicTime {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    /// The point `duration` later.
    public static func + (left: MonotonicTime, right: Duration) -> MonotonicTime {
        left.advanced(byNanoseconds: right.nanoseconds)
    }

    /// What has passed since `earlier`, in nanoseconds.
    @inline(__always)
    public func nanoseconds(since earlier: MonotonicTime) -> Int64 { nanoseconds &- earlier.nanoseconds }
}

extension Duration {
    /// Whole seconds, rounded down.
    public var wholeSeconds: Int64 { components.seconds }

    /// Whole nanoseconds; saturates.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : whole &+ attoseconds / 1_000_000_000
    }
}

/// The wall clock, for what is compared with dates in tokens and certificates.
public enum WallClock {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    @inline(__always)
    public static func nanoseconds() -> Int64 { clinux_realtime_nanoseconds() }

    /// Seconds since 1970-01-01T00:00:00Z.
    public static func seconds() -> Int64 { clinux_realtime_nanoseconds() / 1_000_000_000 }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    public static func milliseconds() -> Int64 { clinux_realtime_nanoseconds() / 1_000_000 }
}
