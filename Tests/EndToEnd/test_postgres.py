"""Several gateways on one PostgreSQL: what one does acts on all, and the server may go away and come back (design.md, 'State and scale')."""

import base64
import json
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import PATIENCE, eventually
from support.accounts import (
    API_KEYS,
    Crowd,
    Session,
    add_user,
    create_key,
    identity,
    list_keys,
    login,
    logout,
    refresh,
    revoke_key,
)
from support.gateway import ROUTES, configuration, refusal
from support.lab import write_private
from support.postgres import PostgresServer, psql, shared, store_file
from support.upstream import STREAM_HEAD, chunk
from support.wire import elapsed, request

ADA = "ada@example.com"
SLOW = "revocation_lag 30s;"  # what acts within 5 s was heard, not found by looking


def postgres_configuration(lag="revocation_lag 1s;", rotation="", **parts):
    text = configuration(jwt="", identity=identity(rotation), api_keys=API_KEYS, **parts)
    return text.replace("store sqlite:gatehouse.db;", "store postgres:file:store.url;").replace("revocation_lag 1s;", lag)


@pytest.fixture(scope="module")
def begin(start):
    """Gateways on one database of a server: `begin(server, count)`; the first has Ada among its users."""

    def make(server, count=1, url=None, **parts):
        database, gateways = url or server.url(server.database()), []
        for _ in range(count):
            gateway = start("", run=False)
            store_file(gateway.folder, database)
            gateway.write(postgres_configuration(**parts)).start()
            gateways.append(gateway)
        add_user(gateways[0], ADA)
        return gateways

    return make


@pytest.fixture(scope="module")
def nodes(begin):
    """Two gateways that look at the store every 15 s, so that only what the server tells them acts sooner."""
    return begin(shared(), 2, lag=SLOW, rotation="rotate_refresh on; refresh_overlap 60s;")


# What one node does acts on the others


def test_a_log_out_acts_on_the_other_node_at_once(nodes):
    here, there = nodes
    session = Session(here, ADA)
    with Crowd(there) as crowd:
        assert crowd.outcomes("/api/x", session.access) == {200}
        session.end()
        eventually(lambda: crowd.outcomes("/api/x", session.access) == {(401, "token_revoked")})
    refusal(refresh(there, session.refresh), 401, "token_revoked")


def test_keys_made_and_revoked_on_one_node_act_on_the_other(nodes):
    here, there = nodes
    session = Session(here, ADA)
    key = create_key(here, session.access)
    eventually(lambda: there.ask("/api/agents/bot-1/", token=key["key"]).status == 200)
    assert key["id"] in {one["id"] for one in list_keys(there, session.access)}
    assert revoke_key(there, session.access, key["id"]).status == 204
    eventually(lambda: here.ask("/api/agents/bot-1/", token=key["key"]).status == 401)


def test_the_command_line_acts_on_both(nodes):
    email = add_user(nodes[0])
    sessions = [Session(node, email) for node in nodes]
    nodes[1].run("users", "disable", email)
    for node in nodes:
        for session in sessions:
            eventually(lambda: node.ask("/api/x", token=session.access).status == 401)
        refusal(login(node, email), 401, "login_failed")


def test_a_stream_on_the_other_node_ends_with_the_session(nodes, upstream):
    here, there = nodes
    session = Session(here, ADA)

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: one\n\n"))
        connection.wait_ended(20)

    upstream.script = script
    with there.connect() as wire:
        wire.send(request("GET", "/api/x", token=session.access))
        assert wire.final_head().status == 200
        assert wire.chunk() == b"data: one\n\n"
        logout(here, session.access)
        seconds, last = elapsed(wire.chunk)
        assert b"token_revoked" in last
    # Streams are looked at several times within the lag, which is 30 s here.
    assert seconds < 15 * PATIENCE


def test_racers_on_two_nodes_get_one_successor(nodes):
    """One row is locked: whoever comes second finds what the first has written."""
    session = Session(nodes[0], ADA)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: refresh(nodes[number % 2], session.refresh), range(32)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert nodes[1].ask("/api/x", token=answers[0].json["access"]).status == 200


def test_quotas_are_counted_together(begin):
    """What each has counted is added up every 2 s (README); then neither lets more through."""
    route = "route /api/counted/ { accept jwt; quota 20/d by=user; upstream agents; }"
    here, there = begin(shared(), 2, routes=route)
    session = Session(here, ADA)
    use = lambda node: node.ask("/api/counted/", token=session.access)
    for node in (here, there) * 10:
        assert use(node).status == 200
    eventually(lambda: use(here).status == 429 and use(there).status == 429, within=8, every=0.5)


# The server goes away


@pytest.fixture
def server():
    server = PostgresServer().start()
    yield server
    server.remove()


def writes(gateway, session):
    """Requests that only the store can answer."""
    return {
        "login": lambda: login(gateway, ADA),
        "refresh": lambda: refresh(gateway, session.refresh),
        "list": lambda: gateway.ask("/api/agents/bot-1/api-keys/", token=session.access),
        "logout": lambda: logout(gateway, session.access),
    }


def test_a_crash_of_the_server_loses_nothing_that_was_answered(server, begin, upstream):
    (gateway,) = begin(server)
    ended, session = Session(gateway, ADA), Session(gateway, ADA)
    key = create_key(gateway, session.access)
    ended.end()
    server.stop("immediate")
    for name, send in writes(gateway, session).items():
        assert refusal(send(), 503, "store_unavailable") == {}, name
    assert session.use().status == 200, "what is in memory goes on working"
    assert gateway.ask("/api/agents/bot-1/", token=key["key"]).status == 200
    refusal(ended.use(), 401, "token_revoked")
    assert gateway.admin("/readyz")[0] == 503 and gateway.admin("/healthz")[0] == 200
    eventually(lambda: gateway.metric("gatehouse_store_up") == 0)
    server.start()
    eventually(lambda: login(gateway, ADA).status == 200, within=10)
    assert session.is_alive() and [one["id"] for one in list_keys(gateway, session.access)] == [key["id"]]
    ended.assert_dead()
    eventually(lambda: gateway.admin("/readyz")[0] == 200)
    eventually(lambda: gateway.metric("gatehouse_store_up") == 1)
    said = gateway.said()
    assert "the store cannot be read" in said and "the store can be read again" in said


def test_a_server_that_says_nothing_is_not_waited_for_long(server, begin):
    (gateway,) = begin(server)
    session = Session(gateway, ADA)
    times = []
    with server.frozen(), ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(elapsed, send) for send in writes(gateway, session).values()]
        while not all(one.done() for one in waiting):
            seconds, answer = elapsed(session.use)
            assert answer.status == 200
            times.append(seconds)
            time.sleep(0.05)
        assert statistics.median(times) < 0.5 * PATIENCE and max(times) < 4, "none waits for the store"
        for seconds, answer in (one.result() for one in waiting):
            refusal(answer, 503, "store_unavailable")
            assert seconds < 12 * PATIENCE
        asked = [pool.submit(gateway.admin, "/readyz", 15) for _ in range(8)]
        seconds, states = elapsed(lambda: [one.result()[0] for one in asked])
        assert states == [503] * 8 and seconds < 12 * PATIENCE, "not each as long as the one before it"
    eventually(lambda: login(gateway, ADA).status == 200, within=10)
    assert session.is_alive()


def test_a_silence_beyond_store_stale_refuses_what_was_known(server, begin, lab):
    """Fail closed: a log-out on another node could not be heard. Public routes need no store."""
    write_private(lab.path("backend.secret"), b"b" * 40)
    client = "client backend file:LAB/backend.secret;"
    (gateway,) = begin(server, lag="revocation_lag 1s; store_stale 3s;", rotation=client)
    session = Session(gateway, ADA)
    key = create_key(gateway, session.access)
    basic = "Authorization: Basic " + base64.b64encode(b"backend:" + b"b" * 40).decode()
    form = "Content-Type: application/x-www-form-urlencoded"
    tell = lambda name: gateway.ask(
        f"/api/auth/{name}/", basic, form, method="POST", body=b"token=" + key["key"].encode(), listener="tls"
    )
    assert tell("introspect").json["active"] is True
    with Crowd(gateway) as crowd:
        with server.frozen():
            assert crowd.outcomes("/api/x", session.access) == {200}
            eventually(lambda: crowd.outcomes("/api/x", session.access) == {(503, "store_unavailable")}, within=6)
            assert crowd.outcomes("/api/agents/bot-1/", key["key"]) == {(503, "store_unavailable")}
            assert crowd.outcomes("/api/agents/bot-1/", "rk_unknown") == {(503, "store_unavailable")}
            assert crowd.outcomes("/widget/", None) == {200}
            refusal(gateway.ask("/api/x"), 401, "credentials_missing")
            refusal(tell("introspect"), 503, "store_unavailable")
            refusal(tell("revoke"), 503, "store_unavailable")
            assert gateway.admin("/readyz", 15)[0] == 503
        eventually(lambda: crowd.outcomes("/api/x", session.access) == {200}, within=8)
        assert crowd.outcomes("/api/agents/bot-1/", key["key"]) == {200}
    assert "no credential is vouched for" in gateway.said()


def test_a_fail_over_is_survived(begin):
    """Another server with another history takes over: connections move, and all that was revoked is read again."""
    first = PostgresServer().start()
    database = first.database()
    second = first.standby().start()
    hosts = f"{first.folder},{second.folder}"
    (gateway,) = begin(first, url=first.url(database, host=hosts, target_session_attrs="read-write"))
    ended, session = Session(gateway, ADA), Session(gateway, ADA)
    ended.end()
    sequence = "SELECT value FROM gatehouse.revocation_count"
    eventually(lambda: second.sql(sequence, database) == first.sql(sequence, database), within=15)
    first.stop("immediate")
    second.promote()
    eventually(lambda: login(gateway, ADA).status == 200, within=15)
    assert session.is_alive()
    ended.assert_dead()
    other = Session(gateway, ADA)
    other.end()
    other.assert_dead()
    second.remove()
    first.remove()


def test_a_server_that_is_full_refuses_only_whom_it_does_not_know(server, begin):
    """Connections are kept: others may take all that are left."""
    server.stop()
    server.configure("max_connections = 12", "superuser_reserved_connections = 0").start()
    (gateway,) = begin(server)
    session = Session(gateway, ADA)
    takers = [subprocess.Popen(["psql", "-X", "-d", server.url("postgres"), "-c", "SELECT pg_sleep(60)"]) for _ in range(12)]
    try:
        time.sleep(0.5)
        assert session.is_alive() and login(gateway, ADA).status == 200
    finally:
        for taker in takers:
            taker.kill()
            taker.wait()


def answered_while_held(url, held, others):
    """How many refreshes of others are answered before that of a session whose row somebody holds."""
    answered = []

    def renew(session):
        answered.append((session is held, refresh(session.gateway, session.refresh).status))

    holder = subprocess.Popen(["psql", "-XAtq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder, ThreadPoolExecutor(len(others) + 1) as pool:
        sid = held.claims["sid"]
        holder.stdin.write(f"BEGIN; SELECT 'held' FROM gatehouse.sessions WHERE id = '{sid}' FOR UPDATE;\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        first = pool.submit(renew, held)
        eventually(lambda: psql(url, "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", every=0)
        list(pool.map(renew, others))
        first.result()
        holder.stdin.close()
    assert [status for mine, status in answered if not mine] == [200] * len(others)
    return answered.index((True, 503))


def test_a_row_that_is_held_keeps_up_its_own_session_only(begin):
    """What is about one session is done in order, and beside what is about others; some share its queue by chance."""
    url = shared().url(shared().database())
    [gateway] = begin(shared(), url=url, rotation="rotate_refresh on; refresh_overlap 60s;")
    held, *others = [Session(gateway, ADA) for _ in range(12)]
    # More than once: on a busy machine the others may need as long as the gateway waits for the row.
    assert any(answered_while_held(url, held, others) > 0 for _ in range(3))


def test_a_stream_ends_when_the_silence_is_too_long(server, begin, upstream):
    """Whether its session still is, nobody can tell any more."""
    (gateway,) = begin(server, lag="revocation_lag 1s; store_stale 2s;")

    def script(connection, _):
        connection.send(STREAM_HEAD + chunk(b"data: one\n\n"))
        connection.wait_ended(20)

    upstream.script = script
    with gateway.connect() as wire:
        wire.send(request("GET", "/api/x", token=Session(gateway, ADA).access))
        assert wire.final_head().status == 200 and wire.chunk() == b"data: one\n\n"
        with server.frozen():
            seconds, last = elapsed(wire.chunk)
        assert b"store_unavailable" in last and seconds < 6 * PATIENCE


# Who is spoken to


@pytest.fixture(scope="module")
def secured(lab):
    """A server on loopback that takes TLS only, and a password."""
    server = PostgresServer(tcp=True).start()
    server.sql("ALTER ROLE gatehouse PASSWORD 'hunter2 & more'")
    server.stop()
    for name in ("localhost.pem", "localhost.key"):
        file = server.folder / "data" / name
        subprocess.run(["install", "-m", "600", lab.path(name), file], check=True)
        subprocess.run(["chown", "--reference", server.folder / "data", file], check=True)
    hba = ["local all all trust", "hostssl all all 127.0.0.1/32 scram-sha-256"]
    tls = ("ssl = on", "ssl_cert_file = 'localhost.pem'", "ssl_key_file = 'localhost.key'")
    server.configure(*tls, hba=hba).start()
    yield server
    server.remove()


def secured_url(server, password="hunter2%20%26%20more", **options):
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"postgres://gatehouse:{password}@localhost:{server.port}/{server.database()}?{query}"


def test_the_server_proves_its_name_over_tls(begin, secured, lab):
    url = secured_url(secured, sslmode="verify-full", sslrootcert=lab.path("ca.pem"))
    (gateway,) = begin(secured, url=url)
    assert Session(gateway, ADA).is_alive()
    used = secured.sql(
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'gatehouse'"
    )
    assert used == "t"


WRONG = [
    ("another authority", {"sslmode": "verify-full", "sslrootcert": "LAB/clients.pem"}, "certificate verify failed"),
    ("no TLS", {"sslmode": "disable"}, "no pg_hba.conf entry"),
    ("another password", {"password": "letmein", "sslmode": "require"}, "password authentication failed"),
]


@pytest.mark.parametrize("why, options, said", WRONG, ids=[row[0] for row in WRONG])
def test_a_server_that_cannot_be_trusted_or_does_not_trust_is_said(start, secured, lab, why, options, said):
    gateway = start("", run=False)
    options = {name: value.replace("LAB", str(lab.folder)) for name, value in options.items()}
    store_file(gateway.folder, secured_url(secured, **options))
    gateway.write(postgres_configuration())
    for command in (("run",), ("users", "list"), ("keys", "list")):
        result = gateway.run(*command, code=1)
        output = result.stdout + result.stderr
        assert said in output and f"postgres://localhost:{secured.port}/" in output, output
        assert "hunter2" not in output and "letmein" not in output, output


# The command line, without a gateway


def test_commands_need_no_gateway(start):
    gateway = start("", run=False)
    store_file(gateway.folder, shared().url(shared().database()))
    gateway.write(postgres_configuration())
    shown = gateway.run("explain", "GET", "/api/x", "-H", "@-", input="Authorization: Bearer rk_x\n")
    assert "there is no store postgres://" in shown.stderr, "explain makes nothing"
    assert json.loads(gateway.run("keys", "list", "--json").stdout) == {"keys": []}
    made = gateway.create_key("bot-1")
    shown = gateway.run("explain", "GET", "/api/agents/bot-1/", "-H", "@-", input=f"Authorization: Bearer {made['key']}\n")
    assert "there is no store" not in shown.stderr and "api_key" in shown.stdout
    assert gateway.run("keys", "revoke", made["id"]).returncode == 0
    dump = psql(gateway.store_url(), "SELECT * FROM gatehouse.api_keys")
    assert made["id"] in dump and made["key"] not in dump, "a digest is kept, never the key"


# From one machine to several


def test_a_store_moves_with_everything_that_counts(start, upstream):
    """Sessions, spent refresh tokens, keys, revocations and counts of a SQLite store go on in PostgreSQL."""
    routes = "route /api/counted/ { accept jwt; quota 3/d by=user; upstream agents; }"
    parts = {"jwt": "", "identity": identity("rotate_refresh on; refresh_overlap 1s;"), "api_keys": API_KEYS}
    old = start(configuration(**parts, routes=ROUTES + routes).replace("sqlite:gatehouse.db", "sqlite:old.db"))
    email = add_user(old, first="Zo\u00eb \\", last="O'Neil")
    ended, session, thief = (Session(old, email) for _ in range(3))
    key, dead = (create_key(old, session.access, rateLimit="9/s") for _ in range(2))
    assert revoke_key(old, session.access, dead["id"]).status == 204
    assert old.ask("/api/counted/", token=session.access).status == 200
    ended.end()
    stolen = thief.refresh
    thief.renew()
    time.sleep(1.2)
    old.stop()

    new = start("", run=False)
    store_file(new.folder)
    text = postgres_configuration(rotation="rotate_refresh on; refresh_overlap 1s;", routes=ROUTES + routes)
    new.write(text)
    file = str(old.folder / "old.db")
    assert json.loads(new.run("store", "import", file, "--json").stdout) == {
        "users": 1, "sessions": 3, "refresh_tokens": 4, "api_keys": 2, "revocations": 1, "usage": 1,
    }  # fmt: skip
    assert "something in it already" in new.run("store", "import", file, code=1).stderr
    assert json.loads(new.run("users", "list", "--json").stdout)["users"][0]["firstName"] == "Zo\u00eb \\"
    new.start()
    for one in (ended, session, thief):
        one.gateway = new
    ended.assert_dead()
    refusal(refresh(new, stolen), 401, "token_revoked")
    thief.assert_dead()
    assert session.is_alive() and login(new, email).status == 200
    assert new.ask("/api/agents/bot-1/", token=key["key"]).status == 200
    refusal(new.ask("/api/agents/bot-1/", token=dead["key"]), 401, "api_key_revoked")
    use = lambda: new.ask("/api/counted/", token=session.access).status
    assert [use(), use(), use()] == [200, 200, 429]
    assert {one["id"]: one["rateLimit"] for one in list_keys(new, session.access)} == {key["id"]: "9/s", dead["id"]: "9/s"}
