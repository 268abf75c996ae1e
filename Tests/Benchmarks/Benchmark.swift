import Transport

/// A piece of work whose cost is of interest. `prepare` makes what it needs; what that returns does the work so many times, and
/// gives something that depends on all of it, so that none of it can be left out.
struct Benchmark: Sendable {
    let name: String
    /// Bytes that one run reads; 0 where that says nothing.
    var bytes = 0
    /// How often it is done for a time, and for a count of instructions: what is slow less often.
    var times = 200_000
    /// Its instructions do not depend on the machine: no OpenSSL, which chooses by processor.
    var isPure = true
    let prepare: @Sendable () -> (Int) -> UInt64

    /// Nanoseconds of one run: the best of several batches, since everything else only adds.
    func time() -> Double {
        let run = prepare()
        var best = Double.infinity
        var sum = run(times / 10)
        for _ in 0..<7 {
            let start = MonotonicTime.now()
            sum &+= run(times)
            best = min(best, Double(MonotonicTime.now().nanoseconds(since: start)) / Double(times))
        }
        withExtendedLifetime(sum) {}
        return best
    }
}

extension [UInt8] {
    init(_ lines: [String]) { self.init((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) }
}

/// What requests carry here: the length of an HS256 token with a few claims.
let sampleToken = """
    eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjNlNDU2Ny1lODliLTEyZDMtYTQ1Ni00MjY2MTQxNzQwMDAiLCJleHAiOjQxMDI0NDQ4MDB9.\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    """
