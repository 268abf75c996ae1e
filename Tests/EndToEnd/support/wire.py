"""A client that sends exact bytes and reads exact answers."""

import json
import socket
import ssl
import time

from . import PATIENCE

# Longer than anything takes on a machine that does much else, and less than a test may take.
TIMEOUT = max(10 * PATIENCE, 25)


class Truncated(AssertionError):
    """The connection ended in the middle of an answer."""


# How a connection that was cut looks. One that stays silent is another thing: that is a TimeoutError.
CUT = (Truncated, ConnectionError, ssl.SSLError)


class Answer:
    """One response as it stood on the wire."""

    def __init__(self, status, reason, version, fields, head):
        self.status, self.reason, self.version, self.fields, self.head = status, reason, version, fields, head
        self.body, self.trailers, self.interim = b"", [], []

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]

    def __repr__(self):
        return f"<Answer {self.status} {self.fields} {self.body[:300]!r}>"


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    version, status, *reason = lines[0].split(" ", 2)
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        assert colon and name and name.strip() == name, f"malformed field {line!r}"
        fields.append((name, value.strip()))
    return Answer(int(status), reason[0] if reason else "", version, fields, head)


class Wire:
    """One connection, TLS or plain."""

    def __init__(self, address, context=None, server_name="localhost", session=None, timeout=TIMEOUT, receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        if family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(
                self.socket, server_hostname=server_name, session=session, suppress_ragged_eofs=False
            )
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def dribble(self, data):
        """Sends each byte by itself; stops when the peer ended the connection, since its answer may be there already."""
        for index in range(len(data)):
            try:
                self.socket.sendall(data[index : index + 1])
            except (ConnectionError, ssl.SSLError):
                break
        return self

    def more(self):
        """Reads once; False at the end."""
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise Truncated(f"ended before {mark!r}: {self.buffer[-300:]!r}")
        return self.take(self.buffer.index(mark), len(mark))

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.more():
                raise Truncated(f"ended {count - len(self.buffer)} bytes early: {self.buffer[-300:]!r}")
        return self.take(count)

    def take(self, count, dropped=0):
        """The first bytes of the buffer; `dropped` more go with them."""
        data = bytes(self.buffer[:count])
        del self.buffer[: count + dropped]
        return data

    def head(self):
        """The next head, interim ones too."""
        return parse_head(self.until(b"\r\n\r\n"))

    def final_head(self):
        """The next head that is not 1xx; those before it are its `interim`."""
        interim = []
        while (answer := self.head()).status < 200 and answer.status != 101:
            interim.append(answer)
        answer.interim = interim
        return answer

    def chunk(self):
        """The next chunk's data, empty for the last, behind which trailers and an empty line are still to be read."""
        size = int(self.until(b"\r\n"), 16)
        if size == 0:
            return b""
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def answer(self, method="GET"):
        """The next whole answer."""
        return self.body(self.final_head(), method)

    def body(self, answer, method="GET"):
        """The answer whose head was read, with what follows it."""
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        codings, lengths = answer.all("Transfer-Encoding"), answer.all("Content-Length")
        assert not (codings and lengths), "both framings"
        if codings:
            assert codings == ["chunked"]
            while data := self.chunk():
                answer.body += data
            while line := self.until(b"\r\n"):
                answer.trailers.append(line)
        elif lengths:
            answer.body = self.exactly(int(answer.header("Content-Length")))
        else:
            while self.more():
                pass
            answer.body = self.take(len(self.buffer))
        return answer

    def rest(self):
        """Everything until the end, however it comes."""
        try:
            while self.more():
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        return self.take(len(self.buffer))

    def ended(self, within=5.0):
        """Whether the peer ends the connection in time, and sends nothing more before it does."""
        self.socket.settimeout(within * PATIENCE)
        try:
            return not self.buffer and self.socket.recv(65536) == b""
        except (ConnectionError, ssl.SSLError):
            return True
        except TimeoutError:
            return False
        finally:
            try:
                self.socket.settimeout(TIMEOUT)
            except OSError:
                pass

    def silent(self, during=0.3):
        """Whether nothing comes for a while and the connection stays."""
        self.socket.settimeout(during)
        try:
            return not self.buffer and self.socket.recv(1) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT)


def request(method, target, *fields, token=None, host="localhost", body=None, version="1.1"):
    """The bytes of a request; each field is a whole line. A body brings its Content-Length."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += fields
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def elapsed(action):
    """Seconds that `action` took, and its result."""
    start = time.monotonic()
    result = action()
    return time.monotonic() - start, result
