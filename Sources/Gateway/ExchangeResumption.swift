/// A request that waits for something of another queue. Confined to its shard's queue; sent through others untouched.
final class ExchangeResumption: @unchecked Sendable {
    private let exchange: Exchange
    private let serial: Int

    init(_ exchange: Exchange) {
        self.exchange = exchange
        serial = exchange.serial
    }

    /// Goes on with the request, if it is still there. On the shard's queue.
    func resume(_ body: (Exchange) -> Void) {
        guard exchange.serial == serial, exchange.progress != .done else { return }
        body(exchange)
    }
}
