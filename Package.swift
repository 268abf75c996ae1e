// swift-tools-version: 6.2
import PackageDescription

/// Every target: Swift 6 mode, no warning passes, each unsafe step says so, imports and existentials are explicit.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
]

/// Release builds see through modules, so that small functions of one are inlined in another; and the run-time check of
/// overlapping accesses, which debug builds and so all tests keep, is left out: it was a tenth of our own time. Fuzz
/// targets, which are built for release too, do without both.
let fast: [SwiftSetting] = [
    .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + fast)
}

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: strict)
}

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "gatehouse",
    products: [
        .executable(name: "gatehouse", targets: ["gatehouse"]),
        .executable(name: "gatehouse-benchmarks", targets: ["gatehouse-benchmarks"]),
    ],
    dependencies: [
        // Commands, their help and their usage errors: outside the proxy path, a kept library beats our own.
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        // The operator's log on stderr, with levels and metadata.
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        // SQLite with migrations, WAL and typed rows for the embedded store.
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        // PostgreSQL's own client: its TLS, authentication and fail-over between hosts are what operators know.
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),

        module("Observability", ["CLinux", log]),
        module("Transport", ["CLinux", "COpenSSL", "Observability"]),
        module("HTTP", ["Transport", "CNghttp2", "COpenSSL"]),
        module("JOSE", ["COpenSSL"]),
        module("Configuration", ["JOSE", "HTTP", "Transport", "CLinux", "CPostgres"]),
        module("Policy", ["Configuration", "JOSE", "HTTP"]),
        module("Identity", ["Policy", "Configuration", "JOSE", "HTTP", "Transport", "Observability", "COpenSSL"]),
        module("Providers", ["Policy", "Configuration", "JOSE", "HTTP", "Transport"]),
        module("Stores", ["Identity", "Configuration", "CLinux", "CPostgres", sqlite]),
        // The keys page becomes part of the program.
        .target(
            name: "Gateway",
            dependencies: [
                "Identity", "Providers", "Policy", "Configuration", "JOSE", "HTTP", "Transport", "Observability",
                "CLinux", log,
            ],
            resources: ["html", "css", "js"].map { .embedInCode("Console/console.\($0)") },
            swiftSettings: strict + fast),
        .executableTarget(
            name: "gatehouse",
            dependencies: [
                "Gateway", "Stores", "Identity", "Providers", "Policy", "Configuration", "JOSE", "HTTP", "Transport",
                "Observability",
                "CNghttp2", "COpenSSL", "CLinux", log, arguments,
            ],
            swiftSettings: strict + fast),

        // What parts of a request cost by themselves: deploy/bench.
        .executableTarget(
            name: "gatehouse-benchmarks",
            dependencies: ["Policy", "Configuration", "JOSE", "HTTP", "Transport", "Observability"],
            path: "Tests/Benchmarks", exclude: ["instructions.txt", "scaling.py"], swiftSettings: strict + fast),

        tests(of: "Observability"), tests(of: "Transport", ["CLinux", "COpenSSL"]), tests(of: "HTTP", ["Transport"]),
        tests(of: "JOSE"), tests(of: "Configuration", ["JOSE", "HTTP"]),
        tests(of: "Policy", ["Configuration", "JOSE", "HTTP"]),
        tests(of: "Identity", ["Configuration", "Policy", "JOSE", "Transport"]),
        tests(of: "Providers", ["Configuration", "JOSE", "HTTP", "Transport"]),
        tests(of: "Stores", ["Configuration", "Identity", "CLinux", sqlite]),
        tests(of: "Gateway", ["Configuration", "Policy", "HTTP", "Transport", "Observability"]),
    ]
)
