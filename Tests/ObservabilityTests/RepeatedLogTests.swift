import Logging
import Synchronization
import Testing

@testable import Observability

@Suite("Repeated log: a line at once, then one a minute for each kind")
struct RepeatedLogTests {
    private final class Lines: LogHandler, Sendable {
        let all = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .trace }
            set {}
        }
        subscript(metadataKey _: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) {
            let extra = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            all.withLock { $0.append("\(event.message)\(extra)") }
        }
    }

    private static let second: Int64 = 1_000_000_000
    private let lines = Lines()
    private let log: RepeatedLog

    init() {
        let lines = lines
        log = RepeatedLog(Logger(label: "test") { _ in lines })
    }

    private var said: [String] { lines.all.withLock(\.self) }

    @Test("of a thousand in a minute one is said; the first after it says how many there were")
    func oneAMinute() {
        for number in 0..<1000 {
            log.warning("a", metadata: ["id": "\(number)"], now: Int64(number) * Self.second / 20)
        }
        #expect(said == ["a id=0"])
        log.warning("a", times: 2, metadata: ["id": "x"], now: 60 * Self.second)
        #expect(said == ["a id=0", "a id=x times=1001"])
        log.warning("b", now: 60 * Self.second)
        log.warning("a", now: 61 * Self.second)
        #expect(said.count == 3 && said.last == "b")
        log.warning("a", now: 120 * Self.second)
        #expect(said.last == "a times=2")
    }

    @Test("of more kinds at a time than are remembered the further ones are left out, until others are old")
    func bound() {
        for number in 0..<RepeatedLog.kindsAtMost + 10 { log.warning("kind \(number)", now: 0) }
        #expect(said.count == RepeatedLog.kindsAtMost)
        log.warning("another", now: 59 * Self.second)
        #expect(said.count == RepeatedLog.kindsAtMost)
        log.warning("another", now: 61 * Self.second)
        #expect(said.last == "another")
    }
}
