/// The servers that a connection string names, tried one after the other.
///
/// libpq could do so itself, but only when it waits itself: of a first server that says nothing, it does not let go by our clock.
struct PostgresServers: Sendable {
    /// How long the only server may take to let somebody in, and how long one of several.
    private static let patienceWithOne = Duration.seconds(3)
    private static let patienceWithEach = Duration.seconds(2)

    private let alternatives: [[String: String]]

    /// libpq's keywords, with lists of hosts and ports as libpq takes them (PostgreSQL, 34.1.1.3).
    init(_ settings: [String: String]) {
        let names = ["host", "hostaddr", "port"]
        let lists = names.map {
            settings[$0]?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        }
        let count = max(lists[0].count, lists[1].count)
        guard count > 1 else {
            alternatives = [settings]
            return
        }
        alternatives = (0..<count).map { index in
            var one = settings
            for (name, list) in zip(names, lists) where !list.isEmpty {
                one[name] = index < list.count ? list[index] : list.count == 1 ? list[0] : nil
            }
            return one
        }
    }

    /// Connects to the first that lets this process in, beginning with the one at `place`, which is set to it.
    func connect(from place: inout Int) throws(PostgresFailure) -> PostgresConnection {
        let patience = alternatives.count > 1 ? Self.patienceWithEach : Self.patienceWithOne
        var last: PostgresFailure?
        for step in alternatives.indices {
            let index = (place % alternatives.count + step) % alternatives.count
            do throws(PostgresFailure) {
                let connection = try PostgresConnection(alternatives[index], within: patience)
                try PostgresSession.prepare(connection)
                place = index
                return connection
            } catch { last = error }
        }
        throw last ?? PostgresFailure("no server is named", isLost: true)
    }
}
