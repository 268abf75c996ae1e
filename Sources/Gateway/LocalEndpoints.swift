import Configuration
import HTTP
import Transport

/// What every listener answers itself before routes are looked at: `/healthz`, and all of a `redirect` listener.
extension Exchange {
    /// Answers when the request is for the gateway itself.
    func answersLocally(_ bytes: Span<UInt8>, _ client: ClientPeer) -> Bool {
        if isHealthCheck(bytes) {
            answerLocally(.json(200, "{\"status\":\"ok\"}"))
            return true
        }
        if client.isAdmin {
            AdminEndpoints.answer(self, bytes)
            return true
        }
        guard client.listener.kind == .redirect else { return false }
        redirect(bytes)
        return true
    }

    /// `GET` or `HEAD` of `/healthz`, with or without a slash, whatever credential comes along.
    private func isHealthCheck(_ bytes: Span<UInt8>) -> Bool {
        let path = head.path
        guard path.count == 8 || path.count == 9, head.method == .get || head.method == .head else { return false }
        return TextMatch.isPath(bytes.extracting(path.range), "/healthz")
    }

    /// A credential that came over plain HTTP was exposed: it is refused, so that nobody goes on using it.
    private func redirect(_ bytes: Span<UInt8>) {
        if head.authorization != nil || exposesTicket(bytes) { return refuse(.httpsRequired) }
        guard let host = head.host else { return refuse(.badRequest(field: "host", reason: "missing")) }
        var location = Array("https://".utf8)
        location += Array(HostName.withoutPort(bytes.extracting(host.range)).utf8)
        location += Array(serving.redirectPort.utf8)
        let path = bytes.extracting(head.path.range)
        for index in path.indices { location.append(path[index]) }
        if let query = head.query {
            location.append(UInt8(ascii: "?"))
            let text = bytes.extracting(query.range)
            for index in text.indices { location.append(text[index]) }
        }
        answerLocally(.redirect(to: location))
    }
}
