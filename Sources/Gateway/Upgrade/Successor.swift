import CLinux
import Dispatch
import Glibc

/// The process that is to take this one's place: started with the listening sockets, watched until it serves.
///
/// Belongs to the server's control queue; what is waited for is waited for on a queue of its own.
final class Successor {
    /// What became of it.
    enum Outcome: Sendable {
        case serves
        /// It ended, or did not get ready in time; why, for people.
        case failed(String)
    }

    /// A new process gets ready within so many seconds, or is given up.
    private static let patience = 60

    let process: pid_t

    private init(process: pid_t) { self.process = process }

    /// Starts `path` with this process's arguments and environment and the sockets; throws a sentence for people.
    static func start(
        _ path: String, arguments: [String], sockets: [String: [Int32]],
        _ done: @escaping @Sendable (Outcome) -> Void
    ) throws(ServerError) -> Successor {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe2(&ends, Int32(O_CLOEXEC)) == 0 else {
            throw ServerError(message: "no pipe for the new process: \(reason(clinux_errno()))")
        }
        let handover = ListenerHandover(ready: ends[1], sockets: sockets)
        let (process, error) = spawn(path, arguments, handover)
        close(ends[1])
        guard error == 0 else {
            close(ends[0])
            throw ServerError(message: "\(path) cannot be started: \(reason(error))")
        }
        let pipe = ends[0]
        waiting.async { done(wait(for: process, pipe)) }
        return Successor(process: process)
    }

    /// Where a new process is waited for: a Dispatch source on a pipe whose other side hangs up is not reliable.
    private static let waiting = DispatchQueue(label: "gatehouse.successor")

    /// Blocks until the process serves, has ended, or takes too long.
    private static func wait(for process: pid_t, _ pipe: Int32) -> Outcome {
        defer { close(pipe) }
        var watched = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
        var ready: Int32
        repeat { ready = unsafe poll(&watched, 1, Int32(patience * 1000)) } while ready < 0 && clinux_errno() == EINTR
        if ready <= 0 {
            kill(process, SIGKILL)
            _ = ending(of: process)
            return .failed("it was not ready within \(patience) seconds, and was ended")
        }
        var byte: UInt8 = 0
        return unsafe read(pipe, &byte, 1) == 1 ? .serves : .failed(ending(of: process))
    }

    /// Ends it.
    func cancel() { kill(process, SIGTERM) }

    /// Waits for its end, which comes at once when its side of the pipe was closed by that; else it is ended.
    private static func ending(of process: pid_t) -> String {
        var status: Int32 = 0
        for _ in 0..<100 {
            guard unsafe waitpid(process, &status, WNOHANG) == 0 else {
                let signal = status & 0x7f
                return signal == 0
                    ? "it ended with status \(status >> 8 & 0xff); its messages say why"
                    : "it was ended by signal \(signal)"
            }
            usleep(20_000)
        }
        kill(process, SIGKILL)
        unsafe waitpid(process, &status, 0)
        return "it did not say that it serves, and was ended"
    }

    private static func reason(_ number: Int32) -> String { unsafe String(cString: strerror(number)) }

    /// The child begins with no signal blocked or ignored, whatever Dispatch's threads have.
    private static func spawn(
        _ path: String, _ arguments: [String], _ handover: ListenerHandover
    ) -> (pid_t, Int32) {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        // Onto itself: that keeps it open over exec.
        for descriptor in handover.descriptors {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor)
        }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        var environment = currentEnvironment()
        environment.append("\(ListenerHandover.variable)=\(handover.text)")
        var process: pid_t = 0
        let error = unsafe withCStrings(arguments) { arguments in
            unsafe withCStrings(environment) { environment in
                unsafe posix_spawn(&process, path, &actions, &attributes, arguments, environment)
            }
        }
        return (process, error)
    }

    private static func currentEnvironment() -> [String] {
        var found: [String] = []
        guard var place = unsafe clinux_environment() else { return [] }
        while let entry = unsafe place.pointee {
            unsafe found.append(String(cString: entry))
            unsafe place += 1
        }
        return found
    }

    private static func withCStrings<R>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        let copies = unsafe texts.map { unsafe strdup($0) }
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe body(copies + [nil])
    }
}
