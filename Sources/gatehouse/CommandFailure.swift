/// Why a command ends without success. The message is printed on stderr as it is; it never holds a secret.
struct CommandFailure: Error {
    static let explained: Int32 = 1
    static let wrongUsage: Int32 = 2

    let status: Int32
    let message: String

    /// A failure that its message explains.
    init(_ message: String) { self.init(status: Self.explained, message: "error: \(message)") }

    /// A failure whose message is complete already; an empty one was printed before.
    init(status: Int32, message: String = "") {
        self.status = status
        self.message = message
    }
}
