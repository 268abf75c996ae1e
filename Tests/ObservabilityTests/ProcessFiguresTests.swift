import Glibc
import Testing

@testable import Observability

@Suite("The process's figures")
struct ProcessFiguresTests {
    @Test("are those of this process")
    func read() {
        let figures = ProcessFigures.read()
        #expect(figures.residentBytes > 1_000_000)
        #expect(figures.cpuSeconds > 0)
        #expect(figures.openDescriptors >= 3)
        #expect(figures.maximumDescriptors >= UInt64(figures.openDescriptors))
        let now = Double(time(nil))
        #expect(figures.startTimeSeconds <= now + 2 && figures.startTimeSeconds > now - 86_400)
    }
}
