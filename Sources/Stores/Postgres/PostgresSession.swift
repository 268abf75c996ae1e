/// What a connection is told first, and what it is asked about the server.
enum PostgresSession {
    /// Who waits for another's lock gives up before who waits for him does, but behind the server's look for deadlocks (1 s); what nobody
    /// waits for any more ends in the server too. A commit that was answered is durable, whatever the database's default; names
    /// mean what they say. No statement runs long enough to be compiled, which the server would do for a guess at a million rows.
    private static let setup = """
        SET lock_timeout = '1500ms';
        SET statement_timeout = '5s';
        SET idle_in_transaction_session_timeout = '5s';
        SET search_path = pg_catalog;
        SET jit = off;
        SET default_transaction_isolation = 'read committed';
        SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
        """

    /// Makes a connection one that statements of the store can be given to.
    static func prepare(_ connection: PostgresConnection) throws(PostgresFailure) { try connection.run(setup) }

    /// Which database this is: another text after a fail-over (another timeline), for a backup that was restored, and after a restart.
    /// Where a hosted server does not tell the one, the other is left.
    static func database(_ connection: PostgresConnection) throws(PostgresFailure) -> String {
        let questions = [
            "SELECT system_identifier::text FROM pg_control_system()",
            """
            SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
            """,
            "SELECT oid::text FROM pg_database WHERE datname = current_database()",
            // Files that were set back are the same in all of this; only the server that reads them began later.
            "SELECT pg_postmaster_start_time()::text",
        ]
        var answers: [String] = []
        for question in questions {
            do throws(PostgresFailure) { answers.append(try connection.query(question).first?.text(0) ?? "") } catch {
                guard !error.isLost else { throw error }
                answers.append("")
            }
        }
        return answers.joined(separator: " ")
    }
}
