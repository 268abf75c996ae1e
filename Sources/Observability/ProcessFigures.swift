import Glibc

/// What the kernel says about this process. Reading it takes a few system calls: off the shards.
public struct ProcessFigures: Sendable, Equatable {
    /// CPU time used, user and system, in seconds.
    public var cpuSeconds: Double = 0
    /// Resident memory in bytes.
    public var residentBytes: UInt64 = 0
    /// Descriptors in use.
    public var openDescriptors: Int = 0
    /// Descriptors that may be in use.
    public var maximumDescriptors: UInt64 = 0
    /// When the process began, in seconds since 1970.
    public var startTimeSeconds: Double = 0

    /// All zero.
    public init() {}

    /// The figures of the present; what cannot be read stays zero.
    public static func read() -> ProcessFigures {
        var figures = ProcessFigures()
        let tick = max(Double(sysconf(Int32(_SC_CLK_TCK))), 1)
        // proc(5): after the command in parentheses come the fields from the third, "state", on.
        if let text = contents("/proc/self/stat"), let command = text.lastIndex(of: ")") {
            let fields = text[command...].split(separator: " ").dropFirst()
            func field(_ number: Int) -> Double {
                let index = fields.startIndex + number - 3
                return index < fields.endIndex ? Double(fields[index]) ?? 0 : 0
            }
            figures.cpuSeconds = (field(14) + field(15)) / tick
            figures.residentBytes = UInt64(max(field(24), 0)) * UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0))
            figures.startTimeSeconds = bootTime() + field(22) / tick
        }
        figures.openDescriptors = descriptorCount()
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.maximumDescriptors = UInt64(limit.rlim_cur)
        }
        return figures
    }

    private static func bootTime() -> Double {
        for line in (contents("/proc/stat") ?? "").split(separator: "\n") where line.hasPrefix("btime ") {
            return Double(line.dropFirst(6)) ?? 0
        }
        return 0
    }

    private static func descriptorCount() -> Int {
        guard let folder = unsafe opendir("/proc/self/fd") else { return 0 }
        defer { unsafe closedir(folder) }
        var count = 0
        while let entry = unsafe readdir(folder) {
            if unsafe entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return max(count - 1, 0)  // without the one that lists them
    }

    /// A file of /proc as text; nil when it cannot be read.
    private static func contents(_ path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes.append(contentsOf: part[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
