import Configuration
import HTTP
import Policy

/// The keys page: three files that are part of the program, with what they need to know of the configuration filled in.
struct ConsolePages: Sendable {
    /// Nothing from elsewhere, nothing inline, nobody around it.
    private static let policy = """
        Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
        img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'\r
        X-Content-Type-Options: nosniff\r
        Referrer-Policy: no-referrer\r

        """

    private let page: [UInt8]

    init(_ configuration: Configuration) {
        var text = String(decoding: PackageResources.console_html, as: UTF8.self)
        let values = [
            "console": configuration.console?.text ?? "", "identity": configuration.identity?.prefix.text ?? "",
            "api_keys": configuration.keyEndpoints?.pattern.text ?? "",
            "cookies": configuration.identity?.usesCookies == true ? "on" : "off",
        ]
        for (name, value) in values { text = Self.replace("{{\(name)}}", by: Self.escaped(value), in: text) }
        page = Array(text.utf8)
    }

    func answer(_ asset: OwnEndpoint.ConsoleAsset) -> LocalAnswer {
        let extra = Array(Self.policy.utf8)
        switch asset {
        case .page: return LocalAnswer(status: 200, contentType: "text/html; charset=utf-8", body: page, extra: extra)
        case .script:
            return LocalAnswer(
                status: 200, contentType: "text/javascript; charset=utf-8", body: PackageResources.console_js,
                extra: extra)
        case .style:
            return LocalAnswer(
                status: 200, contentType: "text/css; charset=utf-8", body: PackageResources.console_css, extra: extra)
        }
    }

    private static func replace(_ mark: String, by value: String, in text: String) -> String {
        text.split(separator: mark, omittingEmptySubsequences: false).joined(separator: value)
    }

    /// For an attribute in double quotes.
    private static func escaped(_ text: String) -> String {
        text.map { character in
            switch character {
            case "&": "&amp;"
            case "\"": "&quot;"
            case "<": "&lt;"
            default: String(character)
            }
        }.joined()
    }
}
