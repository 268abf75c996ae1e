import Testing

@testable import Observability

@Suite("Metrics")
struct MetricsTests {
    static func text(_ snapshot: MetricsSnapshot, _ renderer: MetricsRenderer = MetricsRenderer()) -> [String] {
        String(decoding: renderer.render(snapshot), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    static func samples(_ name: String, _ snapshot: MetricsSnapshot) -> [String] {
        text(snapshot).filter { $0.hasPrefix(name + "{") || $0.hasPrefix(name + " ") }
    }

    @Test("have the names of the contract, each with HELP and TYPE before its samples")
    func families() {
        let lines = Self.text(MetricsSnapshot())
        let types = [
            "gatehouse_requests_total": "counter", "gatehouse_refusals_total": "counter",
            "gatehouse_request_seconds": "histogram", "gatehouse_upstream_up": "gauge",
            "gatehouse_connections": "gauge",
            "gatehouse_tls_handshakes_total": "counter", "gatehouse_streams": "gauge",
            "gatehouse_token_cache_total": "counter", "gatehouse_log_dropped_total": "counter",
            "gatehouse_config_reloads_total": "counter", "gatehouse_abusive_connections_total": "counter",
            "gatehouse_provider_requests_total": "counter",
            "process_cpu_seconds_total": "counter",
            "process_resident_memory_bytes": "gauge", "process_open_fds": "gauge", "process_max_fds": "gauge",
            "process_start_time_seconds": "gauge",
        ]
        for (name, type) in types {
            #expect(lines.count { $0 == "# TYPE \(name) \(type)" } == 1, "\(name)")
            #expect(lines.count { $0.hasPrefix("# HELP \(name) ") } == 1, "\(name)")
        }
        #expect(lines.count { $0.hasPrefix("# TYPE") } == types.count)
        var family = ""
        for line in lines {
            if line.hasPrefix("# TYPE ") { family = String(line.split(separator: " ")[2]) }
            if !line.hasPrefix("#") { #expect(line.hasPrefix(family), "\(line)") }
        }
    }

    @Test("count requests by route, method and status")
    func requests() {
        let metrics = ShardMetrics()
        let routes = metrics.register(routes: ["GET /a/", "/b/"])
        metrics.recordRequest(route: routes[1], method: 2, status: 201, nanoseconds: 1)
        metrics.recordRequest(route: routes[0], method: 0, status: 200, nanoseconds: 1)
        metrics.recordRequest(route: routes[0], method: 0, status: 200, nanoseconds: 1)
        metrics.recordRequest(route: ShardMetrics.noRoute, method: 9, status: 404, nanoseconds: 1)
        metrics.recordRequest(route: ShardMetrics.noRoute, method: 200, status: 99, nanoseconds: 1)
        #expect(
            Self.samples("gatehouse_requests_total", metrics.snapshot()) == [
                #"gatehouse_requests_total{route="none",method="other",status="404"} 1"#,
                #"gatehouse_requests_total{route="none",method="other",status="other"} 1"#,
                #"gatehouse_requests_total{route="GET /a/",method="GET",status="200"} 2"#,
                #"gatehouse_requests_total{route="/b/",method="POST",status="201"} 1"#,
            ])
    }

    @Test("go on over a reload that changes the order of the routes")
    func reload() {
        let metrics = ShardMetrics()
        let before = metrics.register(routes: ["/a/", "/b/"])
        metrics.recordRequest(route: before[1], method: 0, status: 200, nanoseconds: 1)
        let after = metrics.register(routes: ["/b/", "/c/", "/a/"])
        metrics.recordRequest(route: after[0], method: 0, status: 200, nanoseconds: 1)
        #expect(
            Self.samples("gatehouse_requests_total", metrics.snapshot()) == [
                #"gatehouse_requests_total{route="/b/",method="GET",status="200"} 2"#
            ])
    }

    @Test("tell apart a bounded number of statuses")
    func boundedStatuses() {
        let metrics = ShardMetrics()
        for status in -5..<1200 { metrics.recordRequest(route: 0, method: 0, status: status, nanoseconds: 1) }
        let samples = Self.samples("gatehouse_requests_total", metrics.snapshot())
        #expect(samples.count == StatusColumns.count)
        #expect(samples.last == #"gatehouse_requests_total{route="none",method="GET",status="other"} 1142"#)
    }

    @Test("count refusals by route and error code")
    func refusals() {
        let metrics = ShardMetrics()
        let routes = metrics.register(routes: ["/a/"])
        metrics.recordRefusal(route: routes[0], error: "token_expired")
        metrics.recordRefusal(route: routes[0], error: "token_expired")
        metrics.recordRefusal(route: 0, error: "not_found")
        #expect(
            Self.samples("gatehouse_refusals_total", metrics.snapshot()) == [
                #"gatehouse_refusals_total{route="none",error="not_found"} 1"#,
                #"gatehouse_refusals_total{route="/a/",error="token_expired"} 2"#,
            ])
    }

    @Test("have cumulative latency buckets whose bounds are inclusive")
    func latency() {
        let metrics = ShardMetrics()
        for nanoseconds in [0, 500_000, 500_001, 1_000_000_000, 59_999_999_999, 60_000_000_001, -1] as [Int64] {
            metrics.recordRequest(route: 0, method: 0, status: 200, nanoseconds: nanoseconds)
        }
        let lines = Self.text(metrics.snapshot()).filter { $0.hasPrefix("gatehouse_request_seconds") }
        let expected = [
            ("0.0005", 3), ("0.001", 4), ("0.0025", 4), ("0.005", 4), ("0.01", 4), ("0.025", 4), ("0.05", 4),
            ("0.1", 4),
            ("0.25", 4), ("0.5", 4), ("1", 5), ("2.5", 5), ("5", 5), ("10", 5), ("30", 5), ("60", 6), ("+Inf", 7),
        ]
        #expect(
            lines == expected.map { #"gatehouse_request_seconds_bucket{le="\#($0.0)"} \#($0.1)"# } + [
                "gatehouse_request_seconds_sum 121.001000001", "gatehouse_request_seconds_count 7",
            ])
    }

    @Test("add up over shards that met names in different orders")
    func merge() {
        let (first, second) = (ShardMetrics(), ShardMetrics())
        let a = first.register(routes: ["/a/", "/b/"])
        let b = second.register(routes: ["/b/", "/c/"])
        first.recordRequest(route: a[0], method: 0, status: 200, nanoseconds: 1_000_000)
        first.recordRequest(route: a[1], method: 0, status: 404, nanoseconds: 1_000_000)
        second.recordRequest(route: b[0], method: 0, status: 404, nanoseconds: 1_000_000)
        second.recordRequest(route: b[1], method: 0, status: 200, nanoseconds: 1_000_000)
        first.recordRefusal(route: a[0], error: "rate_limited")
        second.recordRefusal(route: b[0], error: "draining")
        second.recordRefusal(route: 0, error: "rate_limited")
        let x = first.register(listeners: ["0.0.0.0:8443", "[::]:8443"])
        let y = second.register(listeners: ["[::]:8443"])
        first.connectionOpened(listener: x[0])
        first.connectionOpened(listener: x[1])
        second.connectionOpened(listener: y[0])
        second.connectionOpened(listener: y[0])
        second.connectionClosed(listener: y[0])
        first.recordHandshake(isVersion13: true, isResumed: false)
        second.recordHandshake(isVersion13: true, isResumed: false)
        second.recordHandshake(isVersion13: false, isResumed: true)
        first.recordTokenCache(hit: true)
        second.recordTokenCache(hit: true)
        second.recordTokenCache(hit: false)
        first.streamOpened()
        second.streamOpened()
        second.streamClosed()

        var all = MetricsSnapshot()
        all.merge(first.snapshot())
        all.merge(second.snapshot())
        #expect(
            Self.samples("gatehouse_requests_total", all) == [
                #"gatehouse_requests_total{route="/a/",method="GET",status="200"} 1"#,
                #"gatehouse_requests_total{route="/b/",method="GET",status="404"} 2"#,
                #"gatehouse_requests_total{route="/c/",method="GET",status="200"} 1"#,
            ])
        #expect(
            Self.samples("gatehouse_refusals_total", all) == [
                #"gatehouse_refusals_total{route="none",error="rate_limited"} 1"#,
                #"gatehouse_refusals_total{route="/a/",error="rate_limited"} 1"#,
                #"gatehouse_refusals_total{route="/b/",error="draining"} 1"#,
            ])
        #expect(
            Self.samples("gatehouse_connections", all) == [
                #"gatehouse_connections{listener="0.0.0.0:8443"} 1"#, #"gatehouse_connections{listener="[::]:8443"} 2"#,
            ])
        #expect(
            Self.samples("gatehouse_tls_handshakes_total", all) == [
                #"gatehouse_tls_handshakes_total{version="1.2",resumed="false"} 0"#,
                #"gatehouse_tls_handshakes_total{version="1.2",resumed="true"} 1"#,
                #"gatehouse_tls_handshakes_total{version="1.3",resumed="false"} 2"#,
                #"gatehouse_tls_handshakes_total{version="1.3",resumed="true"} 0"#,
            ])
        #expect(
            Self.samples("gatehouse_token_cache_total", all) == [
                #"gatehouse_token_cache_total{result="hit"} 2"#, #"gatehouse_token_cache_total{result="miss"} 1"#,
            ])
        #expect(Self.samples("gatehouse_streams", all) == ["gatehouse_streams 1"])
        #expect(Self.text(all).contains("gatehouse_request_seconds_count 4"))
    }

    @Test("escape label values, and show what the gateway knows")
    func gateway() {
        var renderer = MetricsRenderer()
        renderer.upstreams = [
            UpstreamState(upstream: "a\"b\\c\nd", server: "127.0.0.1:9000", isUp: true),
            UpstreamState(upstream: "a", server: "unix:/run/a", isUp: false),
        ]
        renderer.droppedLogLines = .max
        renderer.succeededReloads = 2
        renderer.failedReloads = 1
        renderer.process = ProcessFigures.read()
        let lines = Self.text(MetricsSnapshot(), renderer)
        for line in [
            #"gatehouse_upstream_up{upstream="a\"b\\c\nd",server="127.0.0.1:9000"} 1"#,
            #"gatehouse_upstream_up{upstream="a",server="unix:/run/a"} 0"#,
            "gatehouse_log_dropped_total 18446744073709551615",
            #"gatehouse_config_reloads_total{result="success"} 2"#,
            #"gatehouse_config_reloads_total{result="failure"} 1"#,
        ] { #expect(lines.contains(line), "\(line)") }
    }

    @Test("a snapshot does not change when counting goes on")
    func snapshot() {
        let metrics = ShardMetrics()
        metrics.streamOpened()
        metrics.recordRequest(route: 0, method: 0, status: 200, nanoseconds: 1)
        let snapshot = metrics.snapshot()
        metrics.recordRequest(route: 0, method: 0, status: 200, nanoseconds: 1)
        #expect(Self.text(snapshot).contains("gatehouse_request_seconds_count 1"))
        #expect(Self.text(metrics.snapshot()).contains("gatehouse_request_seconds_count 2"))
    }
}
