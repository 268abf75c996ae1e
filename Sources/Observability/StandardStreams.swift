import Glibc

/// Descriptors 0, 1 and 2, which every program expects to be open.
public enum StandardStreams {
    /// Opens `/dev/null` in place of those that the process was started without, so that no socket or store file gets their
    /// number and a log line lands in it. Opened for reading only: writing there still fails, and so is counted. To be called
    /// before anything else is opened.
    public static func reserve() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is `descriptor`, since those below it are open.
            _ = unsafe open("/dev/null", O_RDONLY)
        }
    }
}
