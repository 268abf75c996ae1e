import Configuration
import Dispatch
import Identity
import Logging
import Observability
import Transport

/// SIGUSR2: another process takes over the listening sockets, and this one ends when it has served what it has.
extension Server {
    /// Begins to start the new process. This one goes on as before until that serves.
    func upgrade() {
        guard !isDraining else { return }
        guard successor == nil else {
            return logger.warning(
                "a new process is being started already; SIGUSR2 is not heard until it serves or fails")
        }
        // The new process begins with what was counted here; while both serve, each hears of the other's counts at once.
        identity?.usage.hurry(seconds: Self.overlap)
        identity?.usage.flush()
        do throws(ServerError) {
            let started = try Successor.start(
                programPath, arguments: CommandLine.arguments, sockets: socketsByAddress()
            ) { [weak self] outcome in
                guard let self else { return }
                control.async { self.successorDone(outcome) }
            }
            successor = started
            logger.notice(
                "a new process was started", metadata: ["path": "\(programPath)", "pid": "\(started.process)"])
        } catch {
            logger.error("the upgrade failed, this process goes on: \(error.message)")
        }
    }

    /// Seconds for which two processes may count the same callers.
    static let overlap: Int64 = 60

    private func successorDone(_ outcome: Successor.Outcome) {
        guard let started = successor else { return }
        successor = nil
        switch outcome {
        case .failed(let reason):
            logger.error("the upgrade failed, this process goes on: \(reason)", metadata: ["path": "\(programPath)"])
        case .serves:
            SystemdNotify.mainProcess(started.process)
            logger.notice("the new process serves", metadata: ["pid": "\(started.process)"])
            if !isDraining { drain(isReplaced: true) }
        }
    }

    private func socketsByAddress() -> [String: [Int32]] {
        var found: [String: [Int32]] = [:]
        for (listener, descriptors) in sockets { found[listener.address.description] = descriptors }
        return found
    }

    /// Takes the sockets of an address from the predecessor, as far as there are any: each shard gets one at least, and none
    /// is closed, since connections may wait in it.
    func inherit(_ listener: Listener, count: Int) throws(SocketError) -> [Int32]? {
        guard var descriptors = inherited?.sockets.removeValue(forKey: listener.address.description),
            let first = descriptors.first
        else { return nil }
        while descriptors.count < count {
            if case .unix = listener.address {
                descriptors.append(Sockets.duplicate(first))
            } else {
                descriptors.append(try Sockets.listen(at: listener.address))
            }
        }
        return descriptors
    }

    /// Everything listens: the predecessor may go. Sockets of addresses that are no longer configured are closed.
    func tellPredecessor() {
        guard let inherited else { return }
        self.inherited = nil
        for descriptor in inherited.sockets.values.flatMap(\.self) { Sockets.close(descriptor) }
        for worker in workers { worker.shard.queue.sync {} }
        inherited.tellReady()
    }
}
