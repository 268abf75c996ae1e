import CLinux
import Dispatch
import Glibc

/// What an operator tells the process.
enum Signal: Sendable {
    /// SIGHUP: read the configuration again.
    case reload
    /// SIGTERM or SIGINT: stop; the second one at once.
    case stop
    /// SIGUSR1: open the logs anew.
    case reopenLogs
    /// SIGUSR2: let a new process take over.
    case upgrade
}

/// Turns the process's signals into calls on a queue.
final class SignalWatch {
    private var sources: [any DispatchSourceSignal] = []

    init(queue: DispatchQueue, handler: @escaping (Signal) -> Void) {
        signal(SIGPIPE, SIG_IGN)
        let wanted: [(Int32, Signal)] = [
            (SIGHUP, .reload), (SIGTERM, .stop), (SIGINT, .stop), (SIGUSR1, .reopenLogs),
            (SIGUSR2, .upgrade),
        ]
        for (number, meaning) in wanted {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { handler(meaning) }
            source.resume()
            sources.append(source)
        }
    }
}
