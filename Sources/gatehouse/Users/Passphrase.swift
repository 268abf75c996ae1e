import Glibc

/// A password from a prompt without echo, or from the first line of stdin when that is no terminal. Never from an argument.
enum Passphrase {
    private static let longest = 4_096

    static func read(isNew: Bool) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else { return try firstLine() }
        let first = try prompt("Password: ")
        if isNew, try prompt("Again: ") != first {
            throw CommandFailure("the two are not the same; nothing was changed")
        }
        return first
    }

    private static func firstLine() throws -> String {
        let bytes = try StandardInput.read(limit: longest)
        return try text(Array(bytes.prefix { $0 != UInt8(ascii: "\n") }))
    }

    private static func prompt(_ question: String) throws -> String {
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else {
            throw CommandFailure("the terminal cannot be asked")
        }
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
            Output.error("")
        }
        Output.prompt(question)
        guard let line = readLine(strippingNewline: true) else { throw CommandFailure("no password was given") }
        return line
    }

    private static func text(_ bytes: [UInt8]) throws -> String {
        let line = bytes.last == UInt8(ascii: "\r") ? Array(bytes.dropLast()) : bytes
        guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandFailure("the password is not UTF-8")
        }
        guard !text.isEmpty else { throw CommandFailure("the password is empty; give it on the first line of stdin") }
        return text
    }
}
