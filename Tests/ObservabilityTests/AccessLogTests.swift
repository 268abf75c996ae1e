import Dispatch
import Foundation
import Glibc
import Logging
import Testing

@testable import Observability

/// A folder that is gone with its owner.
final class ScratchFolder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID())").path

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Both ends of a pipe. Nobody reads unless `read` is called.
final class TestPipe {
    private(set) var reader: Int32
    let writer: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        _ = unsafe pipe(&ends)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        closeReader()
        close(writer)
    }

    func closeReader() {
        if reader >= 0 { close(reader) }
        reader = -1
    }

    /// Reads until there were `count` lines or nothing came for two seconds.
    func read(lines count: Int) -> [String] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        var lines = 0
        while lines < count {
            var watched = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&watched, 1, 2000) > 0 else { break }
            let got = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(reader, $0.baseAddress, $0.count) }
            guard got > 0 else { break }
            bytes += part[..<got]
            lines += part[..<got].count { $0 == 10 }
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

@Suite("The access log", .timeLimit(.minutes(1)))
struct AccessLogTests {
    static func open(_ destination: AccessLog.Destination, bound: Int = AccessLog.defaultPendingBound) -> AccessLog {
        AccessLog(destination, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, pendingBound: bound)
    }

    static func chunk(_ numbers: ClosedRange<Int>, width: Int = 0) -> [UInt8] {
        Array(numbers.map { "\($0)" + String(repeating: ".", count: width) + "\n" }.joined().utf8)
    }

    static func soon() -> DispatchTime { .now() + .seconds(10) }

    static func lines(_ path: String) -> [String] {
        (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").map(String.init) ?? []
    }

    static func waits(for condition: () -> Bool) -> Bool {
        for _ in 0..<500 where !condition() { usleep(10_000) }
        return condition()
    }

    @Test("appends to a file that only its owner and group read")
    func file() throws {
        let folder = try ScratchFolder()
        try Data("before\n".utf8).write(to: URL(fileURLWithPath: folder.file("kept")))
        for name in ["new", "kept"] {
            let log = Self.open(.file(folder.file(name)))
            log.submit(Self.chunk(1...2))
            log.submit([])
            log.submit(Self.chunk(3...3))
            #expect(log.flush(deadline: Self.soon()))
            #expect((log.droppedLines, log.pendingBytes) == (0, 0))
        }
        #expect(Self.lines(folder.file("new")) == ["1", "2", "3"])
        #expect(Self.lines(folder.file("kept")) == ["before", "1", "2", "3"])
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("new"))[.posixPermissions] as? Int
        #expect(mode.map { $0 & 0o137 } == 0, "0640 less what the umask takes")
    }

    @Test("goes on in a new file after reopen, whether the old one was renamed or removed", arguments: [true, false])
    func reopen(isRenamed: Bool) throws {
        let folder = try ScratchFolder()
        let log = Self.open(.file(folder.file("access.log")))
        log.submit(Self.chunk(1...2))
        #expect(log.flush(deadline: Self.soon()))
        if isRenamed {
            try FileManager.default.moveItem(atPath: folder.file("access.log"), toPath: folder.file("access.log.1"))
        } else {
            try FileManager.default.removeItem(atPath: folder.file("access.log"))
        }
        log.submit(Self.chunk(3...3))
        log.reopen()
        log.submit(Self.chunk(4...5))
        #expect(log.flush(deadline: Self.soon()))
        #expect(Self.lines(folder.file("access.log")) == ["4", "5"])
        if isRenamed { #expect(Self.lines(folder.file("access.log.1")) == ["1", "2", "3"]) }
        #expect(log.droppedLines == 0)
    }

    @Test("stays with the old file while the new one cannot be opened, and changes over by itself")
    func reopenFails() throws {
        let folder = try ScratchFolder()
        let place = folder.file("logs")
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        let log = Self.open(.file(place + "/access.log"))
        try FileManager.default.moveItem(atPath: place, toPath: folder.file("moved"))
        log.reopen()
        log.submit(Self.chunk(1...1))
        #expect(log.flush(deadline: Self.soon()))
        #expect(Self.lines(folder.file("moved/access.log")) == ["1"])
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        #expect(Self.waits { FileManager.default.fileExists(atPath: place + "/access.log") })
        log.submit(Self.chunk(2...2))
        #expect(log.flush(deadline: Self.soon()))
        #expect(Self.lines(place + "/access.log") == ["2"])
        #expect(log.droppedLines == 0)
    }

    @Test("that cannot be opened counts its drops and opens by itself later")
    func opensLater() throws {
        let folder = try ScratchFolder()
        let place = folder.file("missing")
        let log = Self.open(.file(place + "/access.log"))
        log.submit(Self.chunk(1...3))
        #expect(Self.waits { log.droppedLines == 3 }, "counted at the next attempt")
        log.submit(Self.chunk(4...4))
        #expect(log.flush(deadline: Self.soon()), "a flush is an attempt, too")
        #expect((log.droppedLines, log.pendingBytes) == (4, 0))
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
        #expect(Self.waits { FileManager.default.fileExists(atPath: place + "/access.log") })
        log.submit(Self.chunk(5...5))
        #expect(log.flush(deadline: Self.soon()))
        #expect(Self.lines(place + "/access.log") == ["5"])
        #expect((log.droppedLines, log.pendingBytes) == (4, 0))
    }

    @Test("on a full device counts its drops and never waits")
    func fullDevice() {
        let log = Self.open(.file("/dev/full"))
        log.submit(Self.chunk(1...10))
        #expect(Self.waits { log.droppedLines == 10 })
        log.submit(Self.chunk(11...12))
        #expect(log.flush(deadline: Self.soon()))
        #expect((log.droppedLines, log.pendingBytes) == (12, 0))
    }

    @Test("on a closed pipe or descriptor counts its drops")
    func closed() {
        let pipe = TestPipe()
        let log = Self.open(.descriptor(pipe.writer))
        pipe.closeReader()
        log.submit(Self.chunk(1...10))
        #expect(log.flush(deadline: Self.soon()))
        #expect(log.droppedLines == 10)
        let closed = Self.open(.descriptor(987_654))
        closed.submit(Self.chunk(1...10))
        #expect(closed.flush(deadline: Self.soon()))
        #expect(closed.droppedLines == 10)
    }

    @Test(
        "on a pipe that nobody reads never waits, stays within its bound, and loses neither order nor the rest of a line"
    )
    func stalled() {
        let pipe = TestPipe()
        let bound = 256 * 1024
        let log = Self.open(.descriptor(pipe.writer), bound: bound)
        // Would one of these wait for the reader, it would wait for ever.
        for number in 0..<2000 { log.submit(Self.chunk(number * 10...number * 10 + 9, width: 90)) }
        #expect(log.pendingBytes <= bound)
        #expect(!log.flush(deadline: .now() + .milliseconds(50)), "a flush ends at its deadline")
        #expect(log.droppedLines > 0)
        // What is read now is what was taken, in order; then new lines pass.
        let kept = 20_000 - Int(log.droppedLines)
        let lines = pipe.read(lines: kept)
        let numbers = lines.compactMap { Int($0.prefix { $0 != "." }) }
        #expect(numbers == numbers.sorted())
        #expect(lines.count == kept)
        #expect(lines.allSatisfy { $0.hasSuffix(String(repeating: ".", count: 90)) }, "whole lines")
        log.submit(Self.chunk(20_000...20_000))
        #expect(pipe.read(lines: 1) == ["20000"])
        #expect(log.flush(deadline: Self.soon()))
        #expect(log.pendingBytes == 0)
    }

    @Test("passes a line that is longer than a pipe takes at once")
    func longLine() {
        let pipe = TestPipe()
        let log = Self.open(.descriptor(pipe.writer))
        let long = String(repeating: "x", count: 100_000)
        log.submit(Array("a\n\(long)\nb\n".utf8))
        #expect(pipe.read(lines: 3) == ["a", long, "b"])
    }

    @Test("writes to a FIFO once somebody reads it, and does not hang before")
    func fifo() throws {
        let folder = try ScratchFolder()
        #expect(unsafe mkfifo(folder.file("fifo"), 0o600) == 0)
        let log = Self.open(.file(folder.file("fifo")))
        log.submit(Self.chunk(1...1))
        #expect(log.flush(deadline: Self.soon()))
        #expect(log.droppedLines == 1)
        let reader = unsafe Glibc.open(folder.file("fifo"), O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        log.reopen()
        log.submit(Self.chunk(2...2))
        #expect(log.flush(deadline: Self.soon()))
        var bytes = [UInt8](repeating: 0, count: 16)
        let got = unsafe bytes.withUnsafeMutableBytes { unsafe read(reader, $0.baseAddress, $0.count) }
        #expect(Array(bytes.prefix(max(got, 0))) == Self.chunk(2...2))
    }

    @Test("takes chunks from many queues, each queue's in order")
    func concurrent() throws {
        let folder = try ScratchFolder()
        let log = Self.open(.file(folder.file("access.log")))
        DispatchQueue.concurrentPerform(iterations: 8) { shard in
            for number in 0..<200 { log.submit(Array("\(shard) \(number)\n".utf8)) }
        }
        #expect(log.flush(deadline: Self.soon()))
        let lines = Self.lines(folder.file("access.log"))
        #expect(lines.count == 1600)
        for shard in 0..<8 {
            let own = lines.filter { $0.hasPrefix("\(shard) ") }
            #expect(own == (0..<200).map { "\(shard) \($0)" })
        }
    }
}
