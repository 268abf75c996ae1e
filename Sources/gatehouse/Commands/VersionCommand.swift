import ArgumentParser
import CNghttp2
import COpenSSL
import Foundation
import JOSE

/// `gatehouse version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the versions of gatehouse and of the libraries that it runs with.")

    @OptionGroup var output: JSONOption

    func run() {
        let openSSL = unsafe String(cString: OpenSSL_version(OPENSSL_VERSION))
        let nghttp2 = unsafe nghttp2_version(0).map { unsafe String(cString: $0.pointee.version_str) } ?? "unknown"
        if output.json {
            return Output.json([
                "version": .string(gatehouseVersion), "commit": .string(commit), "openssl": .string(openSSL),
                "nghttp2": .string(nghttp2),
            ])
        }
        print("gatehouse \(gatehouseVersion) (commit \(commit))\n\(openSSL)\nnghttp2 \(nghttp2)")
    }

    /// What the build put beside the executable as `gatehouse.commit`.
    private var commit: String {
        guard let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
            let contents = FileManager.default.contents(atPath: executable + ".commit")
        else { return "unknown" }
        let text = String(decoding: contents.prefix(64), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty || !text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
            ? "unknown" : text
    }
}
