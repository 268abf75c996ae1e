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
}

/// Turns the process's signals into calls on a queue.
final class SignalWatch {
    private var sources: [any DispatchSourceSignal] = []

    init(queue: DispatchQueue, handler: @escaping (Signal) -> Void) {
        signal(SIGPIPE, SIG_IGN)
        let wanted: [(Int32, Signal)] = [
            (SIGHUP, .reload), (SIGTERM, .stop), (SIGINT, .stop), (SIGUSR1, .reopenLogs),
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
