internal import Configuration
internal import Glibc
internal import JOSE
internal import Transport

/// The last good key set of an issuer on disk, so that a restart while the issuer is down verifies tokens at once.
struct KeyFile: Sendable {
    /// Seconds that a set may be from the future; one that is more so would never become stale.
    private let clockSkew: Int64 = 60
    private static let sizeAtMost = 2 * ProviderRequest.keySetAtMost

    let folder: String
    let path: String
    /// Where the set has to have come from.
    let location: String

    init(folder: String, name: String, location: RemoteKeys.Location) {
        self.folder = folder
        path = "\(folder)/keys-\(name).json"
        switch location {
        case .keySet(let url): self.location = url.text
        case .issuer(let url): self.location = "issuer \(url.text)"
        }
    }

    /// What was kept; nil when there is nothing, or it is of another place.
    func read() -> KeySource.Kept? {
        guard let bytes = Self.contents(of: path),
            let object = (try? JSONReader.parse(bytes.span))?.object, object["location"]?.string == location,
            let fetchedAt = object["fetched_at"]?.integer, fetchedAt >= 0, fetchedAt <= WallClock.seconds() + clockSkew,
            let set = object["set"]?.object
        else { return nil }
        return KeySource.Kept(set: JSONWriter.encode(set), fetchedAt: fetchedAt)
    }

    /// Keeps a set. Either the whole file is the new one or the old one stays; says what went wrong.
    func write(_ kept: KeySource.Kept) throws(ProviderFailure) {
        guard let set = (try? JSONReader.parse(kept.set.span))?.object else { return }
        let bytes = JSONWriter.encode([
            "location": .string(location), "fetched_at": .integer(kept.fetchedAt), "set": .object(set),
        ])
        unsafe mkdir(folder, 0o700)
        let fresh = "\(path).new"
        let descriptor = unsafe open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw ProviderFailure("\(fresh) cannot be written: \(Self.reason)") }
        let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        let isWhole = written == bytes.count && fsync(descriptor) == 0
        var reason = Self.reason
        close(descriptor)
        if isWhole {
            if unsafe rename(fresh, path) == 0 { return }
            reason = Self.reason
        }
        unsafe unlink(fresh)
        throw ProviderFailure("\(path) cannot be written: \(reason)")
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }

    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: sizeAtMost)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress.map { unsafe $0 + count }, buffer.count - count)
            }
            guard got >= 0 else { return nil }
            if got == 0 { return Array(bytes[..<count]) }
            count += got
        }
        return nil
    }
}
