public import Configuration
internal import Glibc
internal import JOSE

/// The keys of issuers elsewhere that a gateway has fetched and kept on disk, for who judges a token without asking anybody.
public enum KeptKeys {
    /// Where a gateway of this configuration keeps sets: beside the store; where that is no file, in the folder that systemd gives a
    /// service for its state, or in `data/`.
    public static func folder(of configuration: Configuration) -> String {
        if case .sqlite(let path) = configuration.store { return folder(of: path) }
        let given = unsafe getenv("STATE_DIRECTORY").map { unsafe String(cString: $0) } ?? ""
        return given.split(separator: ":").first.map(String.init) ?? folder(of: configuration.path) + "/data"
    }

    /// The configuration with the kept keys of each issuer, as far as they are not older than `stale`. Blocks.
    public static func known(to configuration: Configuration) -> Configuration {
        let watch = KeyWatch(
            configuration, folder: folder(of: configuration), publish: { _, _, _, done in done() }, report: { _ in })
        var known = configuration
        for (index, keys) in watch.takeKept(of: nil) { known.issuers[index].keys = keys }
        return known
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
