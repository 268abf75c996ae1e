"""WebSocket peers: an echo server behind the gateway, and clients in front of it."""

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
    scheme = "ws"
    if listener == "tls":
        scheme, settings["ssl"] = "wss", gateway.lab.client_context()
        settings["ssl"].set_alpn_protocols(["http/1.1"])
    port = getattr(gateway.ports, listener)
    return websockets.sync.client.connect(
        f"{scheme}://localhost:{port}{path}", additional_headers=headers, open_timeout=5 * PATIENCE,
        close_timeout=2 * PATIENCE, max_size=8 << 20, **settings,
    )  # fmt: skip
