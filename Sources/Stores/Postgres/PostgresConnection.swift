internal import CPostgres
internal import Glibc

/// One connection to a PostgreSQL server: libpq without its blocking calls, so that every wait has a bound.
///
/// Invariant: `handle` is a live `PGconn` from `init` to `deinit`, and one thread at a time uses it: the one that took the
/// connection from its pool, or the listener's queue. Names do resolve without a bound of ours: libpq has no other way.
@safe
final class PostgresConnection: @unchecked Sendable {
    /// How long a server may ordinarily say nothing, while it is to answer, before it counts as gone.
    static let ordinaryPatience = Duration.seconds(5)
    /// The same for what is known to take long.
    static let greatPatience = Duration.seconds(60)

    /// How long this one may.
    var patience = ordinaryPatience

    private let handle: OpaquePointer

    /// Connects, with libpq's keywords for one server, in so much time.
    init(_ settings: [String: String], within patience: Duration) throws(PostgresFailure) {
        let words = settings.sorted { $0.key < $1.key }
        let names = CStrings(words.map(\.key))
        let values = CStrings(words.map(\.value))
        let started = unsafe withExtendedLifetime((names, values)) {
            unsafe PQconnectStartParams(names.pointers, values.pointers, 0)
        }
        guard let handle = unsafe started else { throw PostgresFailure("memory is out", isLost: true) }
        unsafe self.handle = handle
        // Notices would go to stderr.
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
        let end = ContinuousClock.now + patience
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            guard next != PGRES_POLLING_FAILED, unsafe PQstatus(handle) != CONNECTION_BAD else { throw lost() }
            try wait(for: next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until: end)
            next = unsafe PQconnectPoll(handle)
        }
        guard unsafe PQsetnonblocking(handle, 1) == 0 else { throw lost() }
    }

    deinit { unsafe PQfinish(handle) }

    /// The socket, for who waits for what the server says unasked.
    var descriptor: Int32 { unsafe PQsocket(handle) }

    /// Between transactions, as far as this side knows; costs no round trip.
    var isIdle: Bool {
        unsafe PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
    }

    /// Takes all that the server has said unasked; false when it has ended the connection. To the end, since what it says last stands
    /// before the end itself, and of that Dispatch tells once.
    func consume() -> Bool {
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&watched, 1, 0) != 0 {
            guard unsafe PQconsumeInput(handle) == 1, unsafe PQstatus(handle) == CONNECTION_OK else { return false }
        }
        return true
    }

    /// How many notifications came since the last call.
    func takeNotifications() -> Int {
        var count = 0
        while let notification = unsafe PQnotifies(handle) {
            unsafe PQfreemem(notification)
            count += 1
        }
        return count
    }

    // MARK: Statements

    /// Carries out one statement, whose `$1` and so on are `parameters`, nil for NULL.
    @discardableResult
    func query(_ sql: String, _ parameters: [String?] = []) throws(PostgresFailure) -> PostgresRows {
        try send(sql, parameters)
        return try takeLast()
    }

    /// Reads what may take the server longer than a statement otherwise may. When it fails, the connection is of no more use.
    func unhurried<Result>(_ body: () throws(PostgresFailure) -> Result) throws(PostgresFailure) -> Result {
        try query("BEGIN")
        try query("SET LOCAL statement_timeout = 0")
        let result = try body()
        try query("COMMIT")
        return result
    }

    /// Carries out several statements, in one transaction unless they say otherwise; gives the last one's rows.
    @discardableResult
    func run(_ script: String) throws(PostgresFailure) -> PostgresRows {
        guard unsafe PQsendQuery(handle, script) == 1 else { throw lost() }
        return try takeLast()
    }

    /// Carries out one statement and takes its rows as they come, so that not all of them are here at once.
    func stream(
        _ sql: String, _ parameters: [String?], _ body: (PostgresRow) throws(PostgresFailure) -> Void
    ) throws(PostgresFailure) {
        try send(sql, parameters)
        unsafe PQsetSingleRowMode(handle)
        while let rows = try next() { if let row = rows.first { try body(row) } }
    }

    private func send(_ sql: String, _ parameters: [String?]) throws(PostgresFailure) {
        guard !parameters.contains(where: { $0?.utf8.contains(0) ?? false }) else {
            throw PostgresFailure("a value has a NUL character, which PostgreSQL cannot keep")
        }
        let values = CStrings(parameters)
        let sent = withExtendedLifetime(values) {
            unsafe PQsendQueryParams(handle, sql, Int32(parameters.count), nil, values.pointers, nil, nil, 0)
        }
        guard sent == 1 else { throw lost() }
    }

    /// The last result. The first failure is thrown once all results are here, so that the connection can be used again.
    private func takeLast() throws(PostgresFailure) -> PostgresRows {
        var last: PostgresRows?
        while let rows = try next() { last = rows }
        guard let last else { throw lost() }
        return last
    }

    /// The next result, nil behind the last.
    private func next() throws(PostgresFailure) -> PostgresRows? {
        guard let result = unsafe try receive() else { return nil }
        let rows = unsafe PostgresRows(result)
        switch unsafe PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: return rows
        default:
            let failure = unsafe failure(of: result)
            while let more = unsafe try receive() { unsafe PQclear(more) }
            throw failure
        }
    }

    private func receive() throws(PostgresFailure) -> OpaquePointer? {
        while true {
            let unsent = unsafe PQflush(handle)
            guard unsent >= 0 else { throw lost() }
            if unsent == 0 {
                if unsafe PQisBusy(handle) == 0 { break }
                // What TLS has decrypted already, the socket does not announce.
                guard unsafe PQconsumeInput(handle) == 1 else { throw lost() }
                if unsafe PQisBusy(handle) == 0 { break }
            }
            try wait(for: unsent == 0 ? POLLIN : POLLIN | POLLOUT, until: .now + patience)
            guard unsafe PQconsumeInput(handle) == 1 else { throw lost() }
        }
        return unsafe PQgetResult(handle)
    }

    private func wait(for events: Int32, until end: ContinuousClock.Instant) throws(PostgresFailure) {
        var watched = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { throw PostgresFailure("the server does not answer", isLost: true) }
            let ready = unsafe poll(&watched, 1, Int32(left / .milliseconds(1)) + 1)
            if ready > 0 { return }
            guard ready == 0 || errno == EINTR else { throw lost() }
        }
    }

    private func failure(of result: OpaquePointer) -> PostgresFailure {
        let state = unsafe PQresultErrorField(result, PostgresField.state).map { unsafe String(cString: $0) }
        let reason = unsafe PQresultErrorField(result, PostgresField.message).map { unsafe String(cString: $0) }
        let isLost = unsafe PQstatus(handle) != CONNECTION_OK
        guard let reason else { return PostgresFailure(message, state: state, isLost: isLost) }
        return PostgresFailure(Self.oneLine(reason), state: state, isLost: isLost)
    }

    private func lost() -> PostgresFailure { PostgresFailure(message, isLost: true) }

    private var message: String {
        let text = unsafe Self.oneLine(String(cString: PQerrorMessage(handle)))
        return text.isEmpty ? "the connection ended" : text
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " || $0 == "\t" } }.joined(separator: "; ")
    }
}

/// Fields of an error (libpq-fe.h's `PG_DIAG_…`, macros of characters).
private enum PostgresField {
    static let state = Int32(UInt8(ascii: "C"))
    static let message = Int32(UInt8(ascii: "M"))
}

/// Strings for C, closed by a null pointer.
///
/// Invariant: each pointer is `strdup`'s, and lives as long as this.
@safe
private final class CStrings {
    let pointers: [UnsafePointer<CChar>?]

    init(_ texts: [String?]) {
        unsafe pointers = texts.map { text in unsafe text.flatMap { unsafe UnsafePointer(strdup($0)) } } + [nil]
    }

    deinit { unsafe pointers.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
}
