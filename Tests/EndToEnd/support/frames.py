"""A client that sends any HTTP/2 frames and reads what comes."""

import ssl
import time

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from . import PATIENCE
from .wire import Answer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED = 0, 1, 2, 3, 5
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 6, 7, 8, 9, 11


def raw(kind, flags, stream, payload=b""):
    """A frame as bytes, whatever sense it makes."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


class Frames:
    """One connection on which the client has chosen HTTP/2."""

    def __init__(self, gateway, settings=None, preface=True, window=None):
        context = gateway.lab.client_context()
        context.set_alpn_protocols(["h2"])
        self.wire = gateway.connect(context=context)
        assert self.wire.socket.selected_alpn_protocol() == "h2"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.next_stream, self.received, self.answers, self.settings = 1, [], {}, {}
        if preface:
            self.wire.send(PREFACE)
            self.send(SettingsFrame(0, settings=settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    # Sending

    def send(self, *frames):
        for frame in frames:
            self.wire.send(frame if isinstance(frame, bytes) else frame.serialize())
        return self

    def fields(self, method="GET", path="/api/x", *more, token=None, authority="localhost", scheme="https"):
        pseudo = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]
        if token:
            more = (("authorization", f"Bearer {token}"), *more)
        return pseudo + list(more)

    def open(self, fields, end=True, stream=None):
        """Sends a request's header block, as it is; gives the stream."""
        if stream is None:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
        frame = HeadersFrame(stream, self.encoder.encode(fields))
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        self.send(frame)
        return stream

    def request(self, method="GET", path="/api/x", *more, body=None, **settings):
        stream = self.open(self.fields(method, path, *more, **settings), end=body is None)
        if body is not None:
            self.data(stream, body, end=True)
        return stream

    def data(self, stream, body=b"", end=False):
        pieces = [body[at : at + 16384] for at in range(0, len(body), 16384)] or [b""]
        for index, piece in enumerate(pieces):
            frame = DataFrame(stream, piece)
            if end and index == len(pieces) - 1:
                frame.flags.add("END_STREAM")
            self.send(frame)

    # Receiving

    def frame(self, within=5.0):
        """The next frame; None at the end or when none comes in time."""
        self.wire.socket.settimeout(within * PATIENCE)
        try:
            while True:
                buffer = self.wire.buffer
                if len(buffer) >= 9:
                    frame, length = Frame.parse_frame_header(memoryview(bytes(buffer[:9])))
                    if len(buffer) >= 9 + length:
                        frame.parse_body(memoryview(bytes(buffer[9 : 9 + length])))
                        del buffer[: 9 + length]
                        return self.note(frame)
                if not self.wire.more():
                    return None
        except (TimeoutError, ConnectionError, ssl.SSLError):
            return None

    def note(self, frame):
        self.received.append(frame)
        if isinstance(frame, SettingsFrame):
            self.settings.update(frame.settings)
            if "ACK" not in frame.flags:
                self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, HeadersFrame):
            fields = self.decoder.decode(frame.data)
            known = self.answers.get(frame.stream_id)
            if known is None or known.status < 200:
                status = dict(fields).get(":status")
                answer = Answer(int(status), "", "HTTP/2", [pair for pair in fields if pair[0] != ":status"], b"")
                answer.interim, answer.ended, answer.reset = ([known] if known else []), False, None
                self.answers[frame.stream_id] = answer
            else:
                known.trailers = fields
        elif isinstance(frame, DataFrame) and frame.stream_id in self.answers:
            answer = self.answers[frame.stream_id]
            answer.body = answer.body or bytearray()  # grows in place: a copy for each frame would cost seconds
            answer.body += frame.data
        if isinstance(frame, RstStreamFrame) and frame.stream_id in self.answers:
            self.answers[frame.stream_id].reset = frame.error_code
        if "END_STREAM" in frame.flags and frame.stream_id in self.answers:
            self.answers[frame.stream_id].ended = True
        return frame

    def until(self, check, within=5.0):
        """Reads frames until one satisfies `check`; None when none does in time."""
        end = time.monotonic() + within * PATIENCE
        while (left := end - time.monotonic()) > 0:
            frame = self.frame(left / PATIENCE)
            if frame is None or check(frame):
                return frame
        return None

    def answer(self, stream, within=15.0):
        """The whole answer on a stream; windows are given back as it comes."""
        end = time.monotonic() + within * PATIENCE
        while not (stream in self.answers and self.answers[stream].ended):
            frame = self.frame(end - time.monotonic())
            assert frame is not None, f"no answer on {stream}: {self.received[-5:]}"
            assert not isinstance(frame, GoAwayFrame) or frame.error_code == 0, frame
            if isinstance(frame, RstStreamFrame) and frame.stream_id == stream:
                raise AssertionError(f"stream {stream} was reset: {frame.error_code}")
            if isinstance(frame, DataFrame) and frame.flow_controlled_length:
                self.grant(frame.stream_id, frame.flow_controlled_length)
        return self.answers[stream]

    def grant(self, stream, count):
        self.send(WindowUpdateFrame(0, window_increment=count))
        if stream:
            self.send(WindowUpdateFrame(stream, window_increment=count))

    def goaway(self, within=5.0):
        """The error code of the connection's end."""
        frame = self.until(lambda frame: isinstance(frame, GoAwayFrame), within)
        return frame.error_code if frame else None

    def reset(self, stream, within=5.0):
        """The error code by which a stream is ended."""
        is_it = lambda frame: isinstance(frame, RstStreamFrame) and frame.stream_id == stream
        frame = self.until(lambda frame: is_it(frame) or isinstance(frame, GoAwayFrame), within)
        assert frame is not None and is_it(frame), f"no RST_STREAM: {frame}"
        return frame.error_code

    def alive(self):
        """The connection answers a PING."""
        self.send(PingFrame(0, b"01234567"))
        return self.until(lambda frame: isinstance(frame, PingFrame) and "ACK" in frame.flags, 3) is not None


def continued(stream, block, size=1000):
    """A header block cut into HEADERS and CONTINUATION frames."""
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    frames = [HeadersFrame(stream, pieces[0])] + [ContinuationFrame(stream, piece) for piece in pieces[1:]]
    frames[0].flags.add("END_STREAM")
    frames[-1].flags.add("END_HEADERS")
    return frames
