import Foundation

/// What watches the tests, as `deploy/test --long` says.
enum Sanitizer {
    /// The Thread Sanitizer.
    static let watchesThreads = ProcessInfo.processInfo.environment["TSAN_OPTIONS"] != nil
}
