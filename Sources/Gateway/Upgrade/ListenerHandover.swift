import CLinux
import Glibc
import Transport

/// Listening sockets on their way from a process to the one that takes its place: named by one environment variable,
/// whose descriptors stay open over `exec`.
///
/// Text: `ready FD` on the first line, then a line for each address, `FD,FD… ADDRESS`.
struct ListenerHandover: Equatable {
    /// The variable.
    static let variable = "GATEHOUSE_LISTENERS"
    /// Descriptors that one is believed to name at most.
    private static let descriptorsAtMost = 65_536

    /// Where readiness is told: a byte, once everything listens.
    var ready: Int32
    /// The sockets of each address, by its text.
    var sockets: [String: [Int32]]

    /// What a predecessor has left in the environment, which forgets it; nil without one. What is no listening socket for
    /// its address is left out and closed.
    static func take() -> ListenerHandover? {
        guard let value = unsafe getenv(variable) else { return nil }
        let text = unsafe String(cString: value)
        unsafe unsetenv(variable)
        guard var found = ListenerHandover(text: text), fcntl(found.ready, F_GETFD) >= 0 else { return nil }
        _ = fcntl(found.ready, F_SETFD, FD_CLOEXEC)
        for (address, descriptors) in found.sockets {
            found.sockets[address] = descriptors.filter { isListening($0, at: address) }
            for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
        return found
    }

    private static func isListening(_ descriptor: Int32, at address: String) -> Bool {
        var listens: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens != 0 else {
            return false
        }
        return Sockets.localAddress(of: descriptor)?.description == address
    }

    /// Reads the text of the variable; nil when it is none.
    init?(text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard !lines.isEmpty else { return nil }
        let first = lines.removeFirst().split(separator: " ")
        guard first.count == 2, first[0] == "ready", let ready = Self.descriptor(first[1]) else { return nil }
        var sockets: [String: [Int32]] = [:]
        for line in lines {
            guard let space = line.firstIndex(of: " ") else { return nil }
            let numbers = line[..<space].split(separator: ",", omittingEmptySubsequences: false).map(Self.descriptor)
            let address = String(line[line.index(after: space)...])
            guard !address.isEmpty, sockets[address] == nil, numbers.allSatisfy({ $0 != nil }) else { return nil }
            sockets[address] = numbers.compactMap(\.self)
        }
        self.init(ready: ready, sockets: sockets)
    }

    init(ready: Int32, sockets: [String: [Int32]]) {
        self.ready = ready
        self.sockets = sockets
    }

    private static func descriptor(_ text: Substring) -> Int32? {
        guard let number = Int32(text), number > 2, number < descriptorsAtMost, text.first != "+" else { return nil }
        return number
    }

    /// The text of the variable.
    var text: String {
        let lines = sockets.sorted { $0.key < $1.key }.map { address, descriptors in
            descriptors.map(String.init).joined(separator: ",") + " " + address
        }
        return (["ready \(ready)"] + lines).joined(separator: "\n")
    }

    /// Every descriptor that has to stay open.
    var descriptors: [Int32] { [ready] + sockets.values.flatMap(\.self) }

    /// Says that everything listens.
    func tellReady() {
        var byte: UInt8 = 1
        _ = unsafe write(ready, &byte, 1)
        close(ready)
    }
}
