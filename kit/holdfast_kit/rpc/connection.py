"""One HTTP/2 connection as a pure machine: bytes in and events out, calls in and bytes out. No sockets, no time.

    receive(bytes) -> events        send_*, reset, consumed, ping -> output()

    stream:  open --END_STREAM here--> half closed --END_STREAM there--> closed
                  --END_STREAM there--> half closed --END_STREAM here--^
             any --RST_STREAM--> closed

A peer that breaks the protocol is told so (GOAWAY) and the connection is `Lost`. Everything it can make us keep has a
bound: header blocks, streams, windows, and what it may ask without getting anything done.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from holdfast_kit.rpc import frames
from holdfast_kit.rpc.events import DataCame, Drained, Event, GoneAway, HeadersCame, Lost, StreamReset
from holdfast_kit.rpc.frames import Code, Setting
from holdfast_kit.rpc.hpack import BadHeaders, Decoder

STREAM_WINDOW: Final = 4 << 20  # bytes that a peer may send on one stream before they are consumed
CONNECTION_WINDOW: Final = 64 << 20  # what one connection may have under way; frees itself, the streams hold back
FRAME_BYTES_MAX: Final = 256 << 10  # the larger, the fewer; a frame is kept until it is complete
HEADER_BYTES_MAX: Final = 64 << 10
STREAMS_MAX: Final = 20_000  # of one connection; a waiting call costs about a kilobyte
QUEUE_HIGH: Final = 1 << 20  # bytes of one stream that wait for the peer's window, from which on its writer waits
QUEUE_LOW: Final = QUEUE_HIGH // 2
FUTILE_MAX: Final = 10_000  # pings, resets, settings and empty frames in a row without a call that ends


class BrokenProtocol(Exception):
    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class _Stream:
    __slots__ = ("credit", "id", "is_full", "local_open", "queue", "queued", "remote_open", "tail", "taken", "window")

    def __init__(self, stream_id: int, *, window: int, remote_open: bool) -> None:
        self.id = stream_id
        self.window = window  # that the peer still gives us
        self.taken = 0  # bytes received, not yet given back
        self.credit = 0  # of those, consumed
        self.remote_open = remote_open
        self.local_open = True
        self.queue: deque[memoryview] = deque()
        self.queued = 0
        self.tail = b""  # the frame that ends our side, behind the queue
        self.is_full = False


class Connection:
    def __init__(self, *, is_client: bool = False, streams_max: int = STREAMS_MAX) -> None:
        self._is_client = is_client
        self._streams_max = streams_max
        self._rest: bytes = b""  # of a frame, or of the preface, that is not complete
        self._is_met = is_client  # whether the peer's preface has come; a server has none
        self._decoder = Decoder(list_bytes_max=HEADER_BYTES_MAX)
        self._streams: dict[int, _Stream] = {}
        self._last_id = 0  # highest that the peer has opened
        self._next_id = 1
        self._block: tuple[int, int, bytearray] | None = None  # a header block whose frames are still coming
        self._window = frames.WINDOW  # that the peer still gives the connection
        self._peer_stream_window = frames.WINDOW
        self._peer_frame_bytes = frames.FRAME_BYTES
        self._taken = 0
        self._blocked: dict[int, _Stream] = {}
        self._futile = 0
        self._farewell_id: int | None = None  # highest that was taken when we said GOAWAY; it must never grow
        self._is_lost = False
        self._events: list[Event] = []
        self._out: list[bytes] = [frames.PREFACE] if is_client else []
        ours = {
            Setting.MAX_CONCURRENT_STREAMS: streams_max,
            Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            Setting.MAX_FRAME_SIZE: FRAME_BYTES_MAX,
            Setting.MAX_HEADER_LIST_SIZE: HEADER_BYTES_MAX,
        }
        if is_client:
            ours = {Setting.ENABLE_PUSH: 0, **ours}
        self._out += [frames.settings(ours), frames.window_update(0, CONNECTION_WINDOW - frames.WINDOW)]

    # -- bytes -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """What these bytes, behind those before them, mean."""
        if self._is_lost:
            return []
        try:
            self._parse(data)
        except BrokenProtocol as error:
            self.close(error.code, error.text)
            self._is_lost = True
            self._events.append(Lost(error.code, error.text))
        events, self._events = self._events, []
        return events

    def output(self) -> bytes:
        """Takes what is to be written."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    @property
    def has_output(self) -> bool:
        return bool(self._out)

    @property
    def streams(self) -> int:
        return len(self._streams)

    def _parse(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        if not self._is_met:
            at = _preface(data)
            if not at:
                self._rest = data
                return
            self._is_met = True
        while end - at >= frames.HEAD_BYTES:
            length, kind, flags, stream_id = frames.head(data, at)
            if length > FRAME_BYTES_MAX:
                raise BrokenProtocol(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
            first = at + frames.HEAD_BYTES
            if end - first < length:
                break
            at = first + length
            self._take(kind, flags, stream_id, data[first:at])
        self._rest = data[at:]

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != frames.CONTINUATION:
            raise BrokenProtocol(Code.PROTOCOL_ERROR, f"a frame of kind {kind} inside a header block")
        match kind:
            case frames.DATA:
                self._take_data(flags, stream_id, payload)
            case frames.HEADERS:
                self._take_headers(flags, stream_id, payload)
            case frames.WINDOW_UPDATE:
                self._take_window_update(stream_id, payload)
            case frames.RST_STREAM:
                self._take_reset(stream_id, payload)
            case frames.PING:
                self._take_ping(flags, stream_id, payload)
            case frames.SETTINGS:
                self._take_settings(flags, stream_id, payload)
            case frames.CONTINUATION:
                self._take_continuation(flags, stream_id, payload)
            case frames.GOAWAY:
                self._take_goaway(payload)
            case frames.PUSH_PROMISE:
                raise BrokenProtocol(Code.PROTOCOL_ERROR, "a push, which nobody asked for")
            case _:
                pass  # others are to be ignored

    # -- frames that came ------------------------------------------------------------------------------------------

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._give_back(size)
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        stream = self._streams.get(stream_id)
        if stream is None or not stream.remote_open:
            if stream is None and self._is_idle(stream_id):
                raise BrokenProtocol(Code.PROTOCOL_ERROR, f"data on stream {stream_id}, which nobody opened")
            return  # it was reset or ended here meanwhile
        stream.taken += size
        if stream.taken > STREAM_WINDOW:
            raise BrokenProtocol(Code.FLOW_CONTROL_ERROR, f"stream {stream_id} was sent more than its window")
        ends = bool(flags & frames.END_STREAM)
        if not (payload or ends):
            self._count_futile()
        self._events.append(DataCame(stream_id, payload, ends))
        if size != len(payload):
            self.consumed(stream_id, size - len(payload))
        if ends:
            self._remote_ended(stream)

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & frames.PADDED:
            payload = _unpadded(payload)
        if flags & frames.HAS_PRIORITY:
            payload = payload[5:]
        if flags & frames.END_HEADERS:
            self._take_block(stream_id, flags, payload)
        else:
            self._block = (stream_id, flags, bytearray(payload))

    def _take_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None or self._block[0] != stream_id:
            raise BrokenProtocol(Code.PROTOCOL_ERROR, "a continuation of nothing")
        _, first_flags, block = self._block
        block += payload
        if not payload:
            self._count_futile()
        if len(block) > HEADER_BYTES_MAX:
            raise BrokenProtocol(Code.ENHANCE_YOUR_CALM, f"a header block above {HEADER_BYTES_MAX} bytes")
        if flags & frames.END_HEADERS:
            self._block = None
            self._take_block(stream_id, first_flags, bytes(block))

    def _take_block(self, stream_id: int, flags: int, block: bytes) -> None:
        try:
            headers = self._decoder.decode(block)
        except BadHeaders as error:
            raise BrokenProtocol(Code.COMPRESSION_ERROR, str(error)) from error
        ends = bool(flags & frames.END_STREAM)
        stream = self._streams.get(stream_id)
        if stream is None:
            if not self._is_idle(stream_id):
                return  # it was reset or ended here meanwhile
            if self._is_client:
                raise BrokenProtocol(Code.PROTOCOL_ERROR, f"headers on stream {stream_id}, which nobody opened")
            stream = self._accept(stream_id)
            if stream is None:
                return
        elif not stream.remote_open or not (ends or self._is_client):
            raise BrokenProtocol(Code.PROTOCOL_ERROR, f"more headers on stream {stream_id}")
        self._events.append(HeadersCame(stream_id, headers, ends))
        if ends:
            self._remote_ended(stream)

    def _accept(self, stream_id: int) -> _Stream | None:
        if stream_id % 2 == 0:
            raise BrokenProtocol(Code.PROTOCOL_ERROR, f"stream {stream_id} is not a client's")
        self._last_id = stream_id
        if self._farewell_id is not None:
            return None  # it had not heard of it; what still comes on that stream is for nobody
        if len(self._streams) >= self._streams_max:
            self._count_futile()
            self._out.append(frames.reset(stream_id, Code.REFUSED_STREAM))
            return None
        stream = self._streams[stream_id] = _Stream(stream_id, window=self._peer_stream_window, remote_open=True)
        return stream

    def _take_reset(self, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4 or self._is_idle(stream_id):
            raise BrokenProtocol(Code.PROTOCOL_ERROR, f"a reset of stream {stream_id}, which nobody opened")
        self._count_futile()
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._blocked.pop(stream_id, None)
            self._events.append(StreamReset(stream_id, int.from_bytes(payload, "big")))

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id or len(payload) % 6:
            raise BrokenProtocol(Code.FRAME_SIZE_ERROR, "settings that are none")
        if flags & frames.ACK:
            return
        self._count_futile()
        for at in range(0, len(payload), 6):
            self._set(int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        self._pump_all()

    def _set(self, name: int, value: int) -> None:
        if name == Setting.INITIAL_WINDOW_SIZE:
            if value > frames.WINDOW_MAX:
                raise BrokenProtocol(Code.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
            for stream in self._streams.values():
                stream.window += value - self._peer_stream_window
            self._peer_stream_window = value
        elif name == Setting.MAX_FRAME_SIZE:
            if not frames.FRAME_BYTES <= value < 1 << 24:
                raise BrokenProtocol(Code.PROTOCOL_ERROR, f"frames of {value} bytes")
            self._peer_frame_bytes = min(value, FRAME_BYTES_MAX)

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id or len(payload) != 8:
            raise BrokenProtocol(Code.FRAME_SIZE_ERROR, "a ping that is none")
        if not flags & frames.ACK:
            self._count_futile()
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _take_goaway(self, payload: bytes) -> None:
        if len(payload) < 8:
            raise BrokenProtocol(Code.FRAME_SIZE_ERROR, "a farewell that is none")
        last_id = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        self._events.append(GoneAway(last_id, int.from_bytes(payload[4:8], "big")))

    def _take_window_update(self, stream_id: int, payload: bytes) -> None:
        size = int.from_bytes(payload, "big") & 0x7FFFFFFF
        if len(payload) != 4 or self._is_idle(stream_id):
            raise BrokenProtocol(Code.PROTOCOL_ERROR, f"a window for stream {stream_id}, which nobody opened")
        if not size:
            raise BrokenProtocol(Code.PROTOCOL_ERROR, "a window that grows by nothing")
        if stream_id == 0:
            self._window += size
            if self._window > frames.WINDOW_MAX:
                raise BrokenProtocol(Code.FLOW_CONTROL_ERROR, "the connection's window is too large")
            self._pump_all()
            return
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.window += size
            if stream.window > frames.WINDOW_MAX:
                raise BrokenProtocol(Code.FLOW_CONTROL_ERROR, f"the window of stream {stream_id} is too large")
            self._pump(stream)

    def _is_idle(self, stream_id: int) -> bool:
        """Whether nobody has opened it yet. Stream 0 is the connection."""
        return stream_id > (self._next_id - 2 if self._is_client else self._last_id)

    def _count_futile(self) -> None:
        self._futile += 1
        if self._futile > FUTILE_MAX:
            raise BrokenProtocol(Code.ENHANCE_YOUR_CALM, f"{FUTILE_MAX} frames in a row that get nothing done")

    def _remote_ended(self, stream: _Stream) -> None:
        stream.remote_open = False
        if not stream.local_open:
            self._closed(stream)

    def _closed(self, stream: _Stream) -> None:
        self._futile = 0
        self._streams.pop(stream.id, None)
        self._blocked.pop(stream.id, None)

    # -- windows of ours -------------------------------------------------------------------------------------------

    def _give_back(self, size: int) -> None:
        self._taken += size
        if self._taken >= CONNECTION_WINDOW // 2:
            self._out.append(frames.window_update(0, self._taken))
            self._taken = 0

    def consumed(self, stream_id: int, size: int) -> None:
        """The application has taken so many bytes: the peer may send as many again."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.remote_open:
            return
        stream.credit += size
        if stream.credit >= STREAM_WINDOW // 2:
            self._out.append(frames.window_update(stream_id, stream.credit))
            stream.taken -= stream.credit
            stream.credit = 0

    # -- what goes out ---------------------------------------------------------------------------------------------

    def open(self, block: bytes) -> int:
        """A client's new stream."""
        stream_id, self._next_id = self._next_id, self._next_id + 2
        self._streams[stream_id] = _Stream(stream_id, window=self._peer_stream_window, remote_open=True)
        self._out.append(frames.headers(stream_id, block, ends=False, frame_bytes=self._peer_frame_bytes))
        return stream_id

    def send_headers(self, stream_id: int, block: bytes) -> None:
        if stream_id in self._streams:
            self._out.append(frames.headers(stream_id, block, ends=False, frame_bytes=self._peer_frame_bytes))

    def send_data(self, stream_id: int, data: bytes) -> bool:
        """False when the stream's writer should wait for `Drained`."""
        stream = self._streams.get(stream_id)
        if stream is None or not data:
            return True
        size = len(data)
        if size <= stream.window and size <= self._window and size <= self._peer_frame_bytes and not stream.queue:
            stream.window -= size
            self._window -= size
            self._out.append(frames.frame(frames.DATA, 0, stream_id, data))
            return True
        stream.queue.append(memoryview(data))
        stream.queued += size
        self._pump(stream)
        stream.is_full = stream.queued > QUEUE_HIGH
        return not stream.is_full

    def send_end(self, stream_id: int, block: bytes | None) -> None:
        """Ends our side, with trailers or (None) without."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.local_open:
            return
        if block is None:
            stream.tail = frames.frame(frames.DATA, frames.END_STREAM, stream_id, b"")
        else:
            stream.tail = frames.headers(stream_id, block, ends=True, frame_bytes=self._peer_frame_bytes)
        if not stream.queue:
            self._end_local(stream)

    def _end_local(self, stream: _Stream) -> None:
        self._out.append(stream.tail)
        stream.local_open = False
        if not stream.remote_open:
            self._closed(stream)
        elif not self._is_client:  # it need not send the rest
            self._out.append(frames.reset(stream.id, Code.NO_ERROR))
            self._closed(stream)

    def reset(self, stream_id: int, code: int) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._out.append(frames.reset(stream_id, code))
            self._closed(stream)

    def ping(self, payload: bytes) -> None:
        self._out.append(frames.frame(frames.PING, 0, 0, payload))

    def close(self, code: Code = Code.NO_ERROR, why: str = "") -> None:
        """No new streams of the peer's from here on; those that are open go on."""
        if self._farewell_id is None:
            self._farewell_id = self._last_id
        self._out.append(frames.goaway(self._farewell_id, code, why))

    def _pump_all(self) -> None:
        """A frame of each in turn, so that no stream starves."""
        while self._blocked and self._window > 0:
            before = self._window
            for stream in list(self._blocked.values()):
                self._pump(stream, frames_max=1)
            if self._window == before:
                return

    def _pump(self, stream: _Stream, *, frames_max: int = 1 << 30) -> None:
        queue = stream.queue
        while queue and frames_max and (size := min(stream.window, self._window, self._peer_frame_bytes)) > 0:
            data = queue[0]
            if len(data) > size:
                queue[0], data = data[size:], data[:size]
            else:
                queue.popleft()
            stream.queued -= len(data)
            stream.window -= len(data)
            self._window -= len(data)
            self._out.append(frames.frame(frames.DATA, 0, stream.id, data))
            frames_max -= 1
        if queue:
            self._blocked[stream.id] = stream
        else:
            self._blocked.pop(stream.id, None)
            if stream.tail and stream.local_open:
                self._end_local(stream)
        if stream.is_full and stream.queued <= QUEUE_LOW:
            stream.is_full = False
            self._events.append(Drained(stream.id))


def _preface(data: bytes) -> int:
    """How long it is; 0 while it is not complete."""
    have = data[: len(frames.PREFACE)]
    if not frames.PREFACE.startswith(have):
        raise BrokenProtocol(Code.PROTOCOL_ERROR, "expected HTTP/2 from the first byte on")
    return len(have) if len(have) == len(frames.PREFACE) else 0


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise BrokenProtocol(Code.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[1 : len(payload) - payload[0]]
