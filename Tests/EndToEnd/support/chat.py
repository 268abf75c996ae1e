"""WebSocket peers: an echo server behind the gateway, and clients in front of it."""

import select
import socket
import ssl
import threading

import websockets.sync.client
import websockets.sync.server

from . import PATIENCE


class Echo:
    """Echoes messages, and remembers the handshakes and how each socket ended."""

    def __init__(self, **settings):
        self.handshakes, self.ends = [], []
        self.server = websockets.sync.server.serve(
            self.serve, "127.0.0.1", 0, max_size=8 << 20, select_subprotocol=self.choose, **settings
        )
        self.port = self.server.socket.getsockname()[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def choose(self, _, offered):
        return "chat" if "chat" in offered else None

    def serve(self, socket):
        self.handshakes.append(socket.request)
        try:
            for message in socket:
                if message == "bye":
                    return socket.close(4000, "as you wish")
                socket.send(message)
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            self.ends.append(socket.close_code)

    def close(self):
        self.server.shutdown()


def chat(gateway, path="/api/chat", token=None, fields=(), listener="tls", **settings):
    """A client's socket through the gateway; raises `InvalidStatus` when it is refused."""
    headers = list(fields)
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    port = getattr(gateway.ports, listener)
    if listener == "tls":
        settings["sock"] = encrypted(gateway, port)
    return websockets.sync.client.connect(
        f"ws://localhost:{port}{path}", additional_headers=headers, open_timeout=5 * PATIENCE,
        close_timeout=2 * PATIENCE, max_size=8 << 20, **settings,
    )  # fmt: skip


def encrypted(gateway, port):
    """A TLS connection that has its ticket. The library reads on a thread of its own while it sends, and OpenSSL is not made for
    that: a ticket that comes just then can swallow the request."""
    context = gateway.lab.client_context()
    context.set_alpn_protocols(["http/1.1"])
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    if select.select([connection], [], [], PATIENCE)[0]:
        connection.setblocking(False)
        try:
            connection.recv(1)
        except ssl.SSLWantReadError:
            pass
        connection.setblocking(True)
    return connection
