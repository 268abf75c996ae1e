import CLinux
import Glibc

/// A crash must not leave keys and credentials on disk.
enum CoreDumps {
    /// No core file, and nothing of the memory in what a crash handler is piped (core(5)). Where one of both is not allowed,
    /// the other stands.
    static func forbid() {
        var limit = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        let descriptor = unsafe open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = unsafe write(descriptor, "0", 1)
        close(descriptor)
    }
}
