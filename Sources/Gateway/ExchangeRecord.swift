import Configuration
import HTTP
import Observability
import Policy
import Transport

/// Counts a finished exchange and writes its access log line.
enum ExchangeRecord {
    static func write(_ exchange: Exchange) {
        guard let downstream = exchange.downstream, !downstream.client.isAdmin else { return }
        let worker = exchange.worker
        let duration = MonotonicTime.now().nanoseconds(since: exchange.started)
        let route = worker.metricsRoute(exchange)
        worker.metrics.recordRequest(
            route: route, method: exchange.head.method.rawValue, status: exchange.status, nanoseconds: duration)
        if let refusal = exchange.refusal { worker.metrics.recordRefusal(route: route, error: refusal.code) }
        guard worker.accessLog != nil else { return }
        writeLine(exchange, downstream, duration: duration)
        worker.logLineAdded()
    }

    private static func writeLine(_ exchange: Exchange, _ downstream: any Downstream, duration: Int64) {
        let worker = exchange.worker
        let (requestID, address) = (exchange.requestID, downstream.client.address)
        worker.logLines.begin(wallClockNanoseconds: WallClock.nanoseconds())
        worker.logLines.add(.requestID, requestID.span)
        worker.logLines.add(.address, address.span)
        if let buffer = exchange.headBuffer {
            writeRequest(exchange, buffer.readable, isMultiplexed: downstream.isMultiplexed)
        }
        worker.logLines.add(.status, exchange.status)
        if let refusal = exchange.refusal { worker.logLines.add(.error, refusal.code) }
        if let route = exchange.route {
            let name = exchange.serving.routeNames[route.index]
            worker.logLines.add(.route, name.span)
        }
        if let principal = exchange.principal {
            worker.logLines.add(.userID, principal.userID)
            worker.logLines.add(.apiKeyID, principal.keyID)
            worker.logLines.add(.agentID, principal.agentID)
        }
        if let route = exchange.route, exchange.forwarded.nanoseconds > 0 {
            let name = exchange.serving.upstreamNames[route.upstream]
            worker.logLines.add(.upstream, name.span)
        }
        worker.logLines.add(.duration, nanoseconds: duration)
        if exchange.answered.nanoseconds > 0 {
            worker.logLines.add(
                .upstreamDuration, nanoseconds: exchange.answered.nanoseconds(since: exchange.forwarded))
        }
        worker.logLines.add(.bytesIn, exchange.bytesIn)
        worker.logLines.add(.bytesOut, exchange.bytesOut)
        writeTrace(exchange)
        worker.logLines.end()
    }

    private static func writeRequest(_ exchange: Exchange, _ bytes: Span<UInt8>, isMultiplexed: Bool) {
        let head = exchange.head
        exchange.worker.logLines.add(.method, bytes.extracting(head.methodRange.range))
        exchange.worker.logLines.addPath(bytes.extracting(head.target.range))
        exchange.worker.logLines.add(
            .protocol, isMultiplexed ? "HTTP/2" : head.minorVersion == 0 ? "HTTP/1.0" : "HTTP/1.1")
    }

    private static func writeTrace(_ exchange: Exchange) {
        guard let buffer = exchange.headBuffer, let field = exchange.head.first(.traceparent) else { return }
        let value = buffer.readable.extracting(field.value.range)
        exchange.worker.logLines.add(.traceID, TraceID(traceparent: value))
    }
}
