/// Whose requests are counted together (`by=`).
public enum LimitSubject: String, Sendable, Hashable, CaseIterable {
    /// An API key; of tokens the session, else the token.
    case credential
    /// The user, with his tokens and keys.
    case user
    /// The agent of the path, or of the key.
    case agent
    /// The client's address (IPv6: its /64), before a credential is looked at.
    case address
}

/// How fast requests may come (`rate_limit`): `count` in `unit`, and `burst` of them at once.
public struct RateLimit: Sendable, Hashable {
    /// Requests in each `unit`.
    public let count: Int
    /// Seconds: 1, 60 or 3,600.
    public let unit: Int64
    /// Requests that may come at once after a pause.
    public let burst: Int
    /// Whose requests are counted together.
    public var subject: LimitSubject

    /// The longest text of one.
    static let longestText = 64
    /// Requests in a unit, and of a burst, at most.
    static let countAtMost = 1_000_000

    /// A limit; `burst` is by default what comes in one unit.
    public init(count: Int, unit: Int64, burst: Int? = nil, subject: LimitSubject = .credential) {
        self.count = count
        self.unit = unit
        self.burst = burst ?? count
        self.subject = subject
    }

    /// Nanoseconds from one request to the next at an even pace, at least one.
    public var interval: Int64 { max(unit * 1_000_000_000 / Int64(count), 1) }

    /// `10/s burst=20`
    public var text: String {
        let letter = unit == 1 ? "s" : unit == 60 ? "m" : "h"
        return "\(count)/\(letter)" + (burst == count ? "" : " burst=\(burst)")
    }
}

/// How many requests may come in a calendar period, in UTC (`quota`).
public struct Quota: Sendable, Hashable {
    /// What the count starts anew with.
    public enum Period: String, Sendable, Hashable {
        /// A day.
        case day = "d"
        /// A month.
        case month = "mo"
    }

    /// Requests in a period.
    public let count: Int
    /// The period.
    public let period: Period
    /// Whose requests are counted together.
    public var subject: LimitSubject

    /// Requests in a period at most.
    static let countAtMost = 1_000_000_000_000

    /// A quota.
    public init(count: Int, period: Period, subject: LimitSubject = .credential) {
        self.count = count
        self.period = period
        self.subject = subject
    }

    /// `10000/d`
    public var text: String { "\(count)/\(period.rawValue)" }
}

/// Why a text is no limit, for people.
public struct LimitProblem: Error, Sendable, Equatable {
    /// What is wrong.
    public let message: String
    /// The way out.
    public let suggestion: String
    /// It is the burst, not the rate.
    var isAboutBurst = false
}

extension RateLimit {
    /// Reads `10/s`, `10/s burst=20`.
    public init(text: String) throws(LimitProblem) {
        let words = text.utf8.count <= Self.longestText ? text.split(separator: " ").map(String.init) : []
        guard let first = words.first, words.count <= 2 else {
            throw LimitProblem(message: "it is no rate", suggestion: "write it like 10/s or '10/s burst=20'")
        }
        try self.init(rate: first, burst: words.count == 2 ? words[1] : nil)
    }

    /// Reads the two words of a limit, `10/s` and `burst=20`.
    init(rate: String, burst: String?) throws(LimitProblem) {
        let (count, unit) = try LimitText.split(
            rate, units: ["s": 1, "m": 60, "h": 3_600], like: "10/s, 600/m or 1000/h")
        guard (1...Self.countAtMost).contains(count) else {
            throw LimitProblem(
                message: "'\(rate.clipped)' is out of range", suggestion: "write a count from 1 to \(Self.countAtMost)")
        }
        var allowed: Int?
        if let burst {
            guard burst.hasPrefix("burst="), let value = LimitText.number(burst.dropFirst(6)),
                (1...Self.countAtMost).contains(value)
            else {
                throw LimitProblem(
                    message: "'\(burst.clipped)' is no burst",
                    suggestion: "write 'burst=N' from 1 to \(Self.countAtMost)", isAboutBurst: true)
            }
            allowed = value
        }
        self.init(count: count, unit: Int64(unit), burst: allowed)
    }
}

extension Quota {
    /// Reads `10000/d` or `1000000/mo`.
    public init(text: String) throws(LimitProblem) {
        let units: KeyValuePairs<String, Period> = ["d": .day, "mo": .month]
        let (count, period) = try LimitText.split(text, "quota", units: units, like: "10000/d or 1000000/mo")
        guard (1...Self.countAtMost).contains(count) else {
            throw LimitProblem(
                message: "'\(text.clipped)' is out of range", suggestion: "write a count from 1 to \(Self.countAtMost)")
        }
        self.init(count: count, period: period)
    }
}

/// What rates and quotas are written alike in.
private enum LimitText {
    static func number(_ digits: some StringProtocol) -> Int? {
        guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }

    /// `COUNT/UNIT`
    static func split<Unit>(_ text: String, _ kind: String = "rate", units: KeyValuePairs<String, Unit>, like: String)
        throws(LimitProblem)
        -> (Int, Unit)
    {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let count = number(parts[0]) else {
            throw LimitProblem(message: "'\(text.clipped)' is no \(kind)", suggestion: "write it like \(like)")
        }
        guard let unit = units.first(where: { $0.key == parts[1] })?.value else {
            let names = units.map { "/\($0.key)" }.joined(separator: ", ")
            throw LimitProblem(
                message: "'/\(String(parts[1]).clipped)' is no unit of time here", suggestion: "there are \(names)")
        }
        return (count, unit)
    }
}
