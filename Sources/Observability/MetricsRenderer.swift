/// Whether a server of an upstream is in use.
public struct UpstreamState: Sendable, Equatable {
    /// The upstream's name.
    public let upstream: String
    /// The server as the configuration writes it.
    public let server: String
    /// It gets requests.
    public let isUp: Bool

    /// The state of one server.
    public init(upstream: String, server: String, isUp: Bool) {
        self.upstream = upstream
        self.server = server
        self.isUp = isUp
    }
}

/// How often a provider was asked for keys or about tokens.
public struct ProviderReport: Sendable, Equatable {
    /// `keys` or `introspection`.
    public let kind: String
    /// The issuer's name in the configuration.
    public let name: String
    /// Answers that could be used.
    public let succeeded: UInt64
    /// Those that could not, and silence.
    public let failed: UInt64

    /// A report.
    public init(kind: String, name: String, succeeded: UInt64, failed: UInt64) {
        self.kind = kind
        self.name = name
        self.succeeded = succeeded
        self.failed = failed
    }
}

/// Writes the metrics of the contract in Prometheus' text format (exposition format 0.0.4). Its media type is `contentType`.
public struct MetricsRenderer: Sendable {
    /// The answer's `Content-Type`.
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    /// Servers of upstreams.
    public var upstreams: [UpstreamState] = []
    /// Whether the store answered the last look at it; nil where there is none.
    public var isStoreUp: Bool?
    /// Access log lines that were dropped.
    public var droppedLogLines: UInt64 = 0
    /// Reloads that took effect.
    public var succeededReloads: UInt64 = 0
    /// Reloads that were refused; the configuration before stayed.
    public var failedReloads: UInt64 = 0
    /// Issuers elsewhere.
    public var providers: [ProviderReport] = []
    /// What the kernel says.
    public var process = ProcessFigures()

    /// A renderer that knows nothing yet.
    public init() {}

    /// The whole text, for the merged snapshot of all shards.
    public func render(_ snapshot: MetricsSnapshot) -> [UInt8] {
        var text = MetricsText()
        renderRequests(snapshot, to: &text)
        renderLatency(snapshot.latency, to: &text)
        renderConnections(snapshot, to: &text)
        renderGateway(snapshot, to: &text)
        renderProcess(to: &text)
        return text.take()
    }

    private func renderRequests(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        let routes = snapshot.routes.names
        text.family("gatehouse_requests_total", "counter", "Requests answered, by route, method and status.")
        snapshot.requests.forEach { row, column, count in
            let method = MethodColumns.labels[column / StatusColumns.count].description
            let status = snapshot.statuses.status(of: column % StatusColumns.count).map(String.init) ?? "other"
            text.sample([("route", routes[row]), ("method", method), ("status", status)], count)
        }
        text.family(
            "gatehouse_refusals_total", "counter", "Requests that the gateway refused, by route and error code.")
        snapshot.refusals.forEach { row, column, count in
            text.sample([("route", routes[row]), ("error", snapshot.errors[column].description)], count)
        }
    }

    private func renderLatency(_ latency: LatencyHistogram, to text: inout MetricsText) {
        text.family("gatehouse_request_seconds", "histogram", "From a request's head to the end of its answer.")
        var total: UInt64 = 0
        for (bound, count) in zip(LatencyHistogram.bounds, latency.counts) {
            total += count
            text.sample([("le", bound.label.description)], total, suffix: "_bucket")
        }
        total += latency.counts.last ?? 0
        text.sample([("le", "+Inf")], total, suffix: "_bucket")
        text.sample([], seconds(latency.sumNanoseconds), suffix: "_sum")
        text.sample([], total, suffix: "_count")
    }

    private func renderConnections(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.family("gatehouse_connections", "gauge", "Open client connections, by listener.")
        for (name, count) in zip(snapshot.listeners.names, snapshot.connections) {
            text.sample([("listener", name)], UInt64(max(count, 0)))
        }
        text.family("gatehouse_tls_handshakes_total", "counter", "TLS handshakes completed with clients.")
        for (index, count) in snapshot.handshakes.enumerated() {
            let resumed = index % 2 == 1 ? "true" : "false"
            text.sample([("version", index < 2 ? "1.2" : "1.3"), ("resumed", resumed)], count)
        }
        text.family("gatehouse_streams", "gauge", "Long-lived answers and tunnels that are open.")
        text.sample([], UInt64(max(snapshot.streams, 0)))
        text.family(
            "gatehouse_abusive_connections_total", "counter",
            "HTTP/2 connections ended with ENHANCE_YOUR_CALM, by what their clients did.")
        text.sample([("kind", "resets")], snapshot.resetFloods)
        text.sample([("kind", "control_frames")], snapshot.controlFloods)
        text.family("gatehouse_upstream_up", "gauge", "Whether a server of an upstream gets requests.")
        for state in upstreams {
            text.sample([("upstream", state.upstream), ("server", state.server)], state.isUp ? 1 : 0)
        }
    }

    private func renderGateway(_ snapshot: MetricsSnapshot, to text: inout MetricsText) {
        text.family("gatehouse_token_cache_total", "counter", "Look-ups in the cache of verified tokens.")
        text.sample([("result", "hit")], snapshot.tokenCacheHits)
        text.sample([("result", "miss")], snapshot.tokenCacheMisses)
        if let isStoreUp {
            text.family("gatehouse_store_up", "gauge", "Whether the store answered when it was last looked at.")
            text.sample([], isStoreUp ? 1 : 0)
        }
        text.family("gatehouse_log_dropped_total", "counter", "Access log lines that could not be written.")
        text.sample([], droppedLogLines)
        text.family("gatehouse_config_reloads_total", "counter", "Times that the configuration was read again.")
        text.sample([("result", "success")], succeededReloads)
        text.sample([("result", "failure")], failedReloads)
        text.family(
            "gatehouse_provider_requests_total", "counter",
            "Times that an issuer was asked for its keys, or about tokens, by how that ended.")
        for report in providers {
            let labels = [("kind", report.kind), ("name", report.name)]
            text.sample(labels + [("result", "success")], report.succeeded)
            text.sample(labels + [("result", "failure")], report.failed)
        }
    }

    private func renderProcess(to text: inout MetricsText) {
        text.family("process_cpu_seconds_total", "counter", "CPU time used, user and system, in seconds.")
        text.sample([], process.cpuSeconds.description)
        text.family("process_resident_memory_bytes", "gauge", "Resident memory in bytes.")
        text.sample([], process.residentBytes)
        text.family("process_open_fds", "gauge", "Descriptors in use.")
        text.sample([], UInt64(process.openDescriptors))
        text.family("process_max_fds", "gauge", "Descriptors that may be in use.")
        text.sample([], process.maximumDescriptors)
        text.family("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.")
        text.sample([], process.startTimeSeconds.description)
    }

    private func seconds(_ nanoseconds: UInt64) -> String { (Double(nanoseconds) / 1e9).description }
}
