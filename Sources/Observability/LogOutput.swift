import Glibc

/// One open destination of the access log, and how to write to it without waiting for its reader.
///
/// Invariant: owns `descriptor` and closes it. What it was copied from is shared with other processes, so its flags are not changed
/// (`O_NONBLOCK` would act on them too): a socket is written with `MSG_DONTWAIT`, and a pipe or terminal only after `poll`
/// and then at most `PIPE_BUF` bytes, which a pipe that polls writable has room for. Such a part ends at the end of a line
/// where one does, so that what other processes write there does not land inside it.
struct LogOutput: ~Copyable {
    enum Outcome: Equatable {
        case wrote(Int)
        /// The reader does not keep up.
        case notReady
        case failed(Int32)
    }

    private enum Kind { case file, socket, stream }

    private static let partBound = 4096  // PIPE_BUF

    private let descriptor: Int32
    private let kind: Kind

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            kind = .stream
            return
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .file
        case S_IFSOCK: kind = .socket
        default: kind = .stream
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// A copy of an open descriptor. When that is closed, every write fails with EBADF.
    static func copy(of descriptor: Int32) -> LogOutput {
        LogOutput(descriptor: fcntl(descriptor, F_DUPFD_CLOEXEC, 3))
    }

    /// A file to append to, created when it is missing. A FIFO without a reader is not waited for.
    static func file(_ path: String) throws(SystemFailure) -> LogOutput {
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let (descriptor, number) = unsafe (Glibc.open(path, flags, 0o640), errno)
        guard descriptor >= 0 else { throw SystemFailure(number: number) }
        return LogOutput(descriptor: descriptor)
    }

    /// Whether the file now belongs to `user` and `group`.
    borrowing func give(toUser user: UInt32, group: UInt32) -> Bool { fchown(descriptor, user, group) == 0 }

    /// Writes bytes of `chunk` from `start` on: as many as go at once, at least one. Waits at most `patience` milliseconds for
    /// a reader.
    borrowing func write(_ chunk: [UInt8], from start: Int, patience: Int32) -> Outcome {
        guard descriptor >= 0 else { return .failed(EBADF) }
        var count = chunk.count - start
        if kind != .file {
            var watched = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            // What else it reports (no reader, no descriptor) the write says with its reason.
            if unsafe poll(&watched, 1, patience) <= 0 { return .notReady }
        }
        if kind == .stream { count = Self.part(of: chunk, from: start) }
        let (result, number) = unsafe chunk.withUnsafeBytes { bytes -> (Int, Int32) in
            guard let base = bytes.baseAddress else { return (0, 0) }
            let part = unsafe base + start
            return switch kind {
            case .socket: unsafe (send(descriptor, part, count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)), errno)
            case .file, .stream: unsafe (Glibc.write(descriptor, part, count), errno)
            }
        }
        if result > 0 { return .wrote(result) }
        if result == 0 { return .failed(ENOSPC) }
        return number == EAGAIN || number == EINTR ? .notReady : .failed(number)
    }

    /// Bytes from `start` on that go in one write: whole lines as far as they fit.
    private static func part(of chunk: [UInt8], from start: Int) -> Int {
        guard chunk.count - start > partBound else { return chunk.count - start }
        var end = start + partBound
        while end > start, chunk[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end > start ? end - start : partBound
    }
}

/// A system call that failed.
struct SystemFailure: Error {
    let number: Int32

    /// The system's words for it.
    var reason: String { unsafe String(cString: strerror(number)) }
}
