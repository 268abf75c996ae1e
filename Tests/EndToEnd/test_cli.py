"""The command line: check, routes, explain, keys, token, version, and its exit codes."""

import json
import re
import subprocess
import time

import pytest

from support import PATIENCE
from support.gateway import BINARY, configuration
from support.tokens import claims, encode, hs


@pytest.fixture(scope="module")
def stopped(start):
    """A configuration that no process serves."""
    return start(run=False)


def run(*arguments, code=0, cwd=None, input=""):
    result = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=20 * PATIENCE, cwd=cwd, input=input)
    assert result.returncode == code, f"exit {result.returncode}: {result.stdout}{result.stderr}"
    return result


# Usage


def test_version_names_what_it_is_built_of(stopped):
    output = run("version").stdout
    assert "gatehouse" in output.lower() and "OpenSSL" in output and "nghttp2" in output


USAGE = {
    "no command": (),
    "an unknown command": ("serve",),
    "an unknown option": ("check", "--nonsense"),
    "explain without arguments": ("explain",),
    "keys alone": ("keys",),
    "keys create without an owner": ("keys", "create", "--agent", "a"),
    "keys revoke without an id": ("keys", "revoke"),
    "token alone": ("token",),
    "token sign without a user": ("token", "sign"),
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_wrong_usage_is_2(arguments, tmp_path):
    run(*arguments, code=2, cwd=tmp_path)


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("explain", "--help"), ("keys", "--help")], ids=" ".join)
def test_help_is_0(arguments, tmp_path):
    assert "USAGE" in run(*arguments, cwd=tmp_path).stdout


# check


def test_a_good_configuration(stopped):
    stopped.run("check")


def test_gateway_conf_is_the_default(stopped, tmp_path):
    run("check", cwd=stopped.folder)
    assert "gateway.conf" in run("check", cwd=tmp_path, code=1).stderr
    assert "missing.conf" in run("check", "-c", "missing.conf", cwd=tmp_path, code=1).stderr


def broken(stopped, text):
    stopped.write(text)
    try:
        result = stopped.run("check", code=1)
    finally:
        stopped.write(configuration())
    return result.stdout + result.stderr


# A line of configuration put at the end, where in it the error has to be shown, and what it has to say.
MISTAKES = {
    "an unknown directive": ("acept jwt;", "acept", "unknown directive"),
    "an unknown directive in a route": ("route /x/ { acept jwt; upstream agents; }", "acept", "did you mean 'accept'"),
    "no accept": ("route /x/ { upstream agents; }", None, "accept"),
    "no upstream": ("route /x/ { accept jwt; }", None, "upstream"),
    "an upstream that is not there": ("route /x/ { accept jwt; upstream agnets; }", "agnets", "agents"),
    "an unknown kind": ("route /x/ { accept jwtt; upstream agents; }", "jwtt", "jwt"),
    "none and another": ("route /x/ { accept none jwt; upstream agents; }", None, "none"),
    "a second accept": ("route /x/ { accept jwt; accept none; upstream agents; }", "accept none", "accept"),
    "an agent pattern without agent": ("route /x/{agent_id}/ { accept api_key; upstream agents; }", None, "agent"),
    "an agent that the pattern does not have": (
        "route /x/{id}/ { accept api_key; agent {agent_id}; upstream agents; }",
        "{agent_id}",
        "agent_id",
    ),
    "requires for require": (
        "route /x/ { accept jwt; requires scope x; upstream agents; }",
        "requires",
        "did you mean 'require'",
    ),
    "scopes for require": ("route /x/ { accept jwt; scopes x; upstream agents; }", "scopes", "unknown directive"),
    "require without values": ("route /x/ { accept jwt; require scope; upstream agents; }", "require", "require"),
    "two routes that tie": (
        "route /widget/ { accept none; upstream agents; } route GET /widget/ { accept none; upstream agents; }",
        None,
        "/widget/",
    ),
    "a time without unit": ("head_timeout 10;", "10", "unit"),
    "a size that is none": ("max_head many;", "many", "many"),
    "a directive twice": ("workers 3;", "workers", "workers"),
    "a listener of no kind": ("listen 127.0.0.1:1;", None, "tls"),
    "plain on a public address": ("listen 0.0.0.0:8099 plain;", None, "allow_insecure"),
    "an address that is none": ("listen nowhere:x tls;", "nowhere:x", "nowhere"),
    "admin on a listener's address twice": ("admin 127.0.0.1:9902;", "admin", "admin"),
    "a missing brace": ("route /x/ { accept none; upstream agents;", None, "}"),
    "a brace too many": ("}", "}", "}"),
    "a missing semicolon": ("head_timeout 10s\nworkers", None, ";"),
    "an open quote": ('include "x;', None, "quote"),
    "include of what is not there": ("include missing.conf;", "missing.conf", "missing.conf"),
    "an issuer without algorithms": ("jwt x { keys secret file:LAB/hs256.key; }", None, "algorithms"),
    "an issuer without keys": ("jwt x { algorithms HS256; }", None, "keys"),
    "an unknown algorithm": ("jwt x { algorithms HS257; keys secret file:LAB/hs256.key; }", "HS257", "HS256"),
    "alg none": ("jwt x { algorithms none; keys secret file:LAB/hs256.key; }", "none", "none"),
    "a secret with a public-key algorithm": ("jwt x { algorithms RS256; keys secret file:LAB/hs256.key; }", None, "RS256"),
    "a public key as a secret algorithm's": ("jwt x { algorithms HS256; keys pem:LAB/rsa.pub; }", None, "HS256"),
    "a secret that is too short": ("jwt x { algorithms HS512; keys secret file:SHORT; }", None, "short"),
    "a secret that others can read": ("jwt x { algorithms HS256; keys secret file:OPEN; }", None, "read"),
    "a secret inline": ("jwt x { algorithms HS256; keys secret hunter2hunter2hunter2hunter2hunter2; }", None, "file:"),
    "a secret from an unset variable": ("jwt x { algorithms HS256; keys secret env:NOT_SET_HERE; }", None, "NOT_SET_HERE"),
    "a key file that is missing": ("jwt x { algorithms HS256; keys secret file:missing.key; }", None, "missing.key"),
    "an upstream without server": ("upstream x { }", None, "server"),
    "a port that is none": ("upstream x { server 127.0.0.1:70000; }", "127.0.0.1:70000", "70000"),
    "a pattern without slash": ("route x/ { accept none; upstream agents; }", "x/", "/"),
    "a pattern with a dot segment": ("route /x/../y/ { accept none; upstream agents; }", "/x/../y/", ""),
    "a parameter twice": ("route /{a}/{a}/ { accept none; upstream agents; }", "/{a}/{a}/", "a"),
    "an empty parameter": ("route /x/{}/ { accept none; upstream agents; }", "/x/{}/", ""),
}


@pytest.mark.parametrize("line, place, says", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_found_when_the_file_is_read(stopped, lab, line, place, says):
    short, open_ = lab.path("short.key"), lab.path("open.key")
    short.write_bytes(b"s" * 31), short.chmod(0o600)
    open_.write_bytes(b"o" * 64), open_.chmod(0o644)
    text = configuration() + line.replace("SHORT", str(short)).replace("OPEN", str(open_)) + "\n"
    output = broken(stopped, text)
    messages = re.findall(r"^(\S*?):(\d+):(\d+): error: (.+)$", output, re.MULTILINE)
    assert messages, output
    assert says.lower() in output.lower(), output
    if place is not None:
        number = len(configuration().splitlines()) + 1
        column = line.index(place) + 1
        assert (f"{number}", f"{column}") in [(found[1], found[2]) for found in messages], output


def test_a_message_shows_its_line_and_the_place(stopped):
    output = broken(stopped, "# one\nroute /x/ {\n    acept jwt;\n    upstream agents;\n}\n")
    assert "gateway.conf:3:5: error: unknown directive 'acept' in route" in output
    assert re.search(r"^ *3 \|     acept jwt;$", output, re.MULTILINE)
    assert re.search(r"^ *\|     \^~~~~ did you mean 'accept'\?$", output, re.MULTILINE)


def test_all_errors_are_told_not_only_the_first(stopped):
    output = broken(stopped, configuration() + "nonsense;\nroute /x/ { acept jwt; }\nhead_timeout 10;\nmore_nonsense;\n")
    assert output.count(": error: ") >= 4


def test_errors_in_included_files_have_their_own_place(stopped):
    (stopped.folder / "conf.d").mkdir(exist_ok=True)
    (stopped.folder / "conf.d" / "a.conf").write_text("\n\n  nonsense;\n")
    output = broken(stopped, configuration() + "include conf.d/*.conf;\n")
    assert re.search(r"conf\.d/a\.conf:3:3: error:", output)


def test_included_files_are_read(stopped):
    (stopped.folder / "more.conf").write_text("route /included/ { accept none; upstream agents; }\n")
    stopped.write(configuration() + "include more.conf;\n")
    assert "/included/" in stopped.run("routes").stdout
    stopped.write(configuration())


def test_a_certificate_and_a_foreign_key(stopped):
    output = broken(stopped, configuration(certificates="certificate LAB/localhost.pem file:LAB/other.key;"))
    assert "localhost.pem" in output and "other.key" in output and "belong" in output


def test_a_store_in_postgresql_is_named_by_a_secret(stopped):
    url = "postgres://gatehouse:hunter2@db.example.com/gatehouse"
    output = broken(stopped, configuration().replace("store sqlite:gatehouse.db;", f"store postgres:{url};"))
    assert ": error: " in output and "store postgres:env:DATABASE_URL;" in output and "hunter2" not in output


def test_no_secret_is_in_a_message(stopped):
    output = broken(stopped, configuration() + "jwt x { algorithms HS256; keys secret hunter2hunter2hunter2hunter2hunter2; }\n")
    assert ": error: " in output


def test_run_refuses_what_check_refuses(stopped):
    stopped.write("nonsense;\n")
    assert "gateway.conf:1:1: error:" in stopped.run("run", code=1).stderr
    stopped.write(configuration())


# routes and explain


def test_routes_shows_who_may_pass_and_where_to(stopped):
    output = stopped.run("routes").stdout
    line = next(line for line in output.splitlines() if "/api/agents/{agent_id}/query/" in line)
    assert "POST" in line and "api_key" in line and "jwt" in line and "agents" in line
    assert any("/widget/" in line and "everybody" in line for line in output.splitlines())
    assert isinstance(json.loads(stopped.run("routes", "--json").stdout), (list, dict))


def explain(stopped, *arguments, input=""):
    return stopped.run("explain", *arguments, input=input).stdout


def test_explain_a_request_that_passes(stopped, good, lab):
    output = explain(stopped, "GET", "/api/./x", "-H", f"Authorization: Bearer {good}")
    assert "/api/" in output and "agents" in output and "123e4567" in output
    assert good.split(".")[2] not in output


def test_explain_a_refusal_is_a_success(stopped, good):
    assert "credentials_missing" in explain(stopped, "GET", "/api/x")
    assert "not_found" in explain(stopped, "GET", "/nothing")
    assert "method_not_allowed" in explain(stopped, "DELETE", "/widget/")
    assert "permission_denied" in explain(stopped, "GET", "/api/scoped/", "-H", f"Authorization: Bearer {good}")
    assert "bad_request" in explain(stopped, "GET", "/api/%2f")


def test_explain_says_why_a_token_is_refused(stopped, lab, jwt):
    expired = explain(stopped, "GET", "/api/x", "-H", f"Authorization: Bearer {jwt(exp=1)}")
    assert "token_expired" in expired and "1970-01-01" in expired
    foreign = encode({"alg": "HS256"}, claims(), hs(lab.other_secret))
    assert "token_invalid" in explain(stopped, "GET", "/api/x", "-H", f"Authorization: Bearer {foreign}")


def test_explain_reads_headers_from_a_file_or_stdin(stopped, good):
    (stopped.folder / "headers").write_text(f"Authorization: Bearer {good}\nX-Other: y\n")
    assert "123e4567" in explain(stopped, "GET", "/api/x", "-H", "@headers")
    assert "123e4567" in explain(stopped, "GET", "/api/x", "-H", "@-", input=f"Authorization: Bearer {good}\n")


def test_explain_knows_api_keys(stopped):
    made = stopped.create_key("bot-1", "owner-1")
    header = f"Authorization: Bearer {made['key']}\n"
    output = explain(stopped, "GET", "/api/agents/bot-1/", "-H", "@-", input=header)
    assert "owner-1" in output and made["key"] not in output
    assert "agent_mismatch" in explain(stopped, "GET", "/api/agents/bot-2/", "-H", "@-", input=header)


def test_explain_agrees_with_the_gateway(gateway, upstream, good, jwt):
    for method, target, token in (("GET", "/api/x", good), ("GET", "/api/x", None), ("GET", "/api/x", jwt(exp=1)), ("GET", "/nothing", good),
                                  ("DELETE", "/widget/", None), ("GET", "/api/scoped/", good), ("GET", "/api/keys-only/", good),
                                  ("GET", "/widget/../api/x", None), ("GET", "/api/%5c", good)):  # fmt: skip
        answer = gateway.ask(target, method=method, token=token)
        fields = ["-H", f"Authorization: Bearer {token}"] if token else []
        output = gateway.run("explain", method, target, *fields).stdout
        assert (answer.error if answer.status != 200 else "agents") in output, (target, output)


# token


def test_token_sign_makes_what_the_gateway_takes(gateway, upstream):
    token = gateway.run("token", "sign", "--user", "alice", "--expires-in", "1h").stdout.strip()
    assert token.count(".") == 2
    assert gateway.ask("/api/x", token=token).status == 200
    assert upstream.last().header("X-User-Id") == "alice"


def test_token_sign_lives_as_long_as_it_is_told(gateway):
    token = gateway.run("token", "sign", "--user", "alice", "--expires-in", "1s").stdout.strip()
    time.sleep(2.1)
    assert gateway.ask("/api/x", token=token).error == "token_expired"


def test_token_inspect(stopped, good, lab):
    output = stopped.run("token", "inspect", input=good + "\n").stdout
    assert "HS256" in output and "123e4567" in output and good.split(".")[2] not in output
    foreign = encode({"alg": "HS256"}, claims(), hs(lab.other_secret))
    result = stopped.run("token", "inspect", input=foreign + "\n", code=None)
    assert result.returncode in (0, 1) and "token_invalid" in result.stdout + result.stderr
    result = stopped.run("token", "inspect", input="garbage\n", code=None)
    assert result.returncode in (0, 1)


# keys


def test_keys_without_any(start):
    gateway = start(run=False)
    gateway.run("keys", "list")
    listed = json.loads(gateway.run("keys", "list", "--json").stdout)
    assert (listed["keys"] if isinstance(listed, dict) else listed) == []


@pytest.mark.parametrize("when", ["yesterday", "2001-01-01T00:00:00Z", "10", ""])
def test_keys_create_with_an_expiry_that_cannot_be(stopped, when):
    result = stopped.run("keys", "create", "--agent", "a", "--owner", "o", "--name", "n", "--expires-at", when, code=None)
    assert result.returncode in (1, 2)


def test_keys_when_the_store_cannot_be_opened(start):
    gateway = start(configuration().replace("store sqlite:gatehouse.db;", "store sqlite:gateway.conf/gatehouse.db;"), run=False)
    result = gateway.run("keys", "list", code=1)
    assert "gateway.conf/gatehouse.db" in result.stderr


def test_no_command_changes_the_files_it_reads(stopped, lab):
    before = {path.name: path.stat().st_mtime_ns for path in lab.folder.iterdir()}
    for arguments in (("check",), ("routes",), ("keys", "list")):
        stopped.run(*arguments)
    assert before == {path.name: path.stat().st_mtime_ns for path in lab.folder.iterdir()}
