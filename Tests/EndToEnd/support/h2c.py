"""An upstream that speaks HTTP/2 over cleartext or TLS, frame by frame, and does what a test tells it."""

import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings


class Seen:
    """A request as it arrived."""

    def __init__(self, connection, stream, fields):
        self.connection, self.stream, self.fields, self.body, self.trailers = connection, stream, fields, b"", []
        self.complete, self.reset = False, None
        self.method, self.path = dict(fields)[":method"], dict(fields)[":path"]

    def header(self, name):
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, f"{name} repeated: {values}"
        return values[0] if values else None


class H2Upstream:
    """Answers each request by `script(upstream, conn, seen)`; by default with 200 and what it got."""

    def __init__(self, context=None, streams=100, grants=True):
        self.context, self.streams, self.grants = context, streams, grants
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.requests, self.connections, self.script = [], 0, H2Upstream.answer
        threading.Thread(target=self.accept, daemon=True).start()

    def answer(self, conn, seen, body=b"ok", status="200", more=()):
        conn.send_headers(seen.stream, [(":status", status), ("content-length", str(len(body))), *more])
        conn.send_data(seen.stream, body, end_stream=True)

    def accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[sock], daemon=True).start()

    def serve(self, sock):
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            self.connections += 1
            number = self.connections
            conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
            conn.local_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = self.streams
            conn.initiate_connection()
            open_streams = {}
            sock.sendall(conn.data_to_send())
            while data := sock.recv(65536):
                for event in conn.receive_data(data):
                    self.take(conn, number, open_streams, event)
                sock.sendall(conn.data_to_send())
        except (OSError, ConnectionError, h2.exceptions.H2Error):
            pass
        finally:
            sock.close()

    def take(self, conn, number, open_streams, event):
        if isinstance(event, h2.events.RequestReceived):
            open_streams[event.stream_id] = seen = Seen(number, event.stream_id, event.headers)
            self.requests.append(seen)
        elif isinstance(event, h2.events.DataReceived):
            open_streams[event.stream_id].body += event.data
            if self.grants:
                conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            open_streams[event.stream_id].trailers = event.headers
        elif isinstance(event, h2.events.StreamReset):
            open_streams[event.stream_id].reset = event.error_code
        elif isinstance(event, h2.events.StreamEnded):
            seen = open_streams[event.stream_id]
            seen.complete = True
            self.script(self, conn, seen)

    def close(self):
        self.socket.close()
