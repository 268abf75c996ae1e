import CLinux
import Dispatch
import Glibc

/// The process that is to take this one's place: started with the listening sockets, watched until it serves.
///
/// Confined to the server's control queue.
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
    private let pipe: Int32
    private let source: any DispatchSourceRead
    private let timer: any DispatchSourceTimer

    private init(
        process: pid_t, pipe: Int32, queue: DispatchQueue, _ done: @escaping @Sendable (Outcome) -> Void
    ) {
        self.process = process
        self.pipe = pipe
        source = DispatchSource.makeReadSource(fileDescriptor: pipe, queue: queue)
        timer = DispatchSource.makeTimerSource(queue: queue)
        let (source, timer) = (source, timer)
        source.setEventHandler {
            source.cancel()
            timer.cancel()
            var byte: UInt8 = 0
            if unsafe read(pipe, &byte, 1) == 1 { return done(.serves) }
            Self.reap(process) { done(.failed($0)) }
        }
        source.setCancelHandler { close(pipe) }
        timer.setEventHandler {
            source.cancel()
            timer.cancel()
            kill(process, SIGKILL)
            Self.reap(process) { _ in done(.failed("it was not ready within \(Self.patience) seconds, and was ended")) }
        }
        timer.schedule(deadline: .now() + .seconds(Self.patience))
        source.resume()
        timer.resume()
    }

    /// Starts `path` with this process's arguments and environment and the sockets; throws a sentence for people.
    static func start(
        _ path: String, arguments: [String], sockets: [String: [Int32]], queue: DispatchQueue,
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
        return Successor(process: process, pipe: ends[0], queue: queue, done)
    }

    /// Ends it.
    func cancel() { kill(process, SIGTERM) }

    /// Waits for its end off the queue, which comes at once: its side of the pipe is closed.
    private static func reap(_ process: pid_t, _ done: @escaping @Sendable (String) -> Void) {
        DispatchQueue.global().async {
            var status: Int32 = 0
            while unsafe waitpid(process, &status, 0) < 0 && clinux_errno() == EINTR {}
            let signal = status & 0x7f
            done(
                signal == 0
                    ? "it ended with status \(status >> 8 & 0xff); its messages say why"
                    : "it was ended by signal \(signal)")
        }
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
