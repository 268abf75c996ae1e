"""An upstream that records the exact bytes it gets and answers by script."""

import select
import socket
import threading
import time

from . import PATIENCE

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
ABORTIVE = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds: close sends RST


class Request:
    """One request as it arrived. `body` is decoded; `complete` tells whether its framing came to its end."""

    def __init__(self, connection, head):
        self.connection, self.head = connection, head
        self.body, self.raw_body, self.trailers, self.complete = b"", b"", b"", False
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines[1:])]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None

    def names(self):
        return [name.lower() for name, _ in self.fields]

    def __repr__(self):
        return f"<Request {self.line} {self.fields} {self.body[:100]!r} complete={self.complete}>"


class Connection:
    """One connection from the gateway."""

    def __init__(self, sock, number, raw=None):
        self.socket, self.number, self.raw = sock, number, raw or sock
        self.buffer = bytearray()

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                return None
        data = bytes(self.buffer[: self.buffer.index(mark)])
        del self.buffer[: len(data) + len(mark)]
        return data

    def exactly(self, count):
        while len(self.buffer) < count and self.more():
            pass
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_chunks(self, request):
        """Whether the last chunk came. Pieces are put together at the end: each time would cost seconds for a long body."""
        raw, body = [], []
        try:
            while (line := self.until(b"\r\n")) is not None:
                size = int(line, 16)
                raw.append(line + b"\r\n")
                if size == 0:
                    return True
                data = self.exactly(size + 2)
                raw.append(data)
                body.append(data[:size])
                if len(data) < size + 2:
                    return False
            return False
        finally:
            request.raw_body, request.body = b"".join(raw), b"".join(body)

    def read_body(self, request):
        length, coding = request.all("Content-Length"), request.all("Transfer-Encoding")
        if coding:
            if not self.read_chunks(request):
                return
            while line := self.until(b"\r\n"):
                request.trailers += line + b"\r\n"
            request.complete = line is not None
        else:
            size = int(length[0]) if length else 0
            request.body = request.raw_body = self.exactly(size)
            request.complete = len(request.body) == size

    def wait_ended(self, within):
        """Whether the gateway ends this connection in time."""
        end = time.monotonic() + within * PATIENCE
        while (left := end - time.monotonic()) > 0:
            try:
                if select.select([self.raw], [], [], left)[0] and not self.socket.recv(65536):
                    return True
            except (OSError, ValueError):
                return True  # its thread has noticed already, before or while this one waits
        return False

    def close(self):
        self.socket.close()

    def reset(self):
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
        self.socket.close()


class RecordingUpstream:
    """Listens on loopback (or a unix path) and serves each connection on a thread of its own.

    `script` is what answers: bytes, or a callable of (connection, request). `on_head` is called instead, before the
    body is read, when it is set. Both end with `reset_script()`, which every test gets by its fixture.
    """

    def __init__(self, path=None, context=None):
        self.context = context
        self.socket = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.socket.bind(path or ("127.0.0.1", 0))
        self.socket.listen(512)
        self.port = None if path else self.socket.getsockname()[1]
        self.lock, self.connections = threading.Lock(), []
        self.reset_script()
        threading.Thread(target=self.accept, daemon=True).start()

    def reset_script(self):
        with self.lock:
            self.requests, self.script, self.on_head, self.on_connect, self.problems = [], OK, None, None, []

    def accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[sock], daemon=True).start()

    def serve(self, sock):
        raw = sock
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with self.lock:
                connection = Connection(sock, len(self.connections), raw)
                self.connections.append(connection)
            if self.on_connect and self.on_connect(connection):
                return
            while self.answer_one(connection):
                pass
        except OSError:
            pass  # the gateway or the script ended the connection
        except Exception as problem:  # a request that this strict reader cannot read is a finding
            self.problems.append(repr(problem))
            raise
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def answer_one(self, connection):
        head = connection.until(b"\r\n\r\n")
        if head is None:
            return False
        request = Request(connection.number, head)
        with self.lock:
            self.requests.append(request)
        if self.on_head:
            return self.on_head(connection, request)
        connection.read_body(request)
        if not request.complete:
            return False
        if callable(self.script):
            return self.script(connection, request) is not False
        connection.send(self.script)
        return True

    def last(self, within=5.0):
        """The newest request, waiting for one if there is none yet."""
        end = time.monotonic() + within * PATIENCE
        while not self.requests and time.monotonic() < end:
            time.sleep(0.005)
        assert self.requests, "nothing arrived at the upstream"
        return self.requests[-1]

    def close(self):
        """Stops listening and ends what is open, as a process that dies does."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        for connection in self.connections:
            try:
                connection.raw.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def answer(body=b"{}", status="200 OK", *fields):
    """The bytes of an answer with a Content-Length; each field is a whole line."""
    head = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
