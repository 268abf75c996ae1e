import ArgumentParser
import Foundation
import Observability

/// Runs one command and turns how it ended into the exit code: 0 success, 1 a failure that was explained, 2 wrong usage.
@main
enum Program {
    static func main() {
        StandardStreams.reserve()
        let status = status(of: Array(CommandLine.arguments.dropFirst()))
        // Without what libraries do at an exit: OpenSSL frees what threads that hash or seal are still using.
        fflush(nil)
        _exit(status)
    }

    private static func status(of arguments: [String]) -> Int32 {
        do {
            var command = try Gatehouse.parseAsRoot(arguments)
            try command.run()
            return 0
        } catch let failure as CommandFailure {
            if !failure.message.isEmpty { Output.error(failure.message) }
            return failure.status
        } catch {
            let message = Gatehouse.fullMessage(for: error)
            if Gatehouse.exitCode(for: error).isSuccess {
                print(message)  // help and version were asked for
                return 0
            }
            Output.error(message)
            return CommandFailure.wrongUsage
        }
    }
}
