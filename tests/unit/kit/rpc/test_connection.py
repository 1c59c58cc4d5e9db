"""The HTTP/2 machine: two of them talk to each other, and a peer that breaks the rules is told so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_kit.rpc import connection as bounds
from holdfast_kit.rpc import frames
from holdfast_kit.rpc.connection import Connection
from holdfast_kit.rpc.events import DataCame, Drained, Event, HeadersCame, Lost, StreamReset
from holdfast_kit.rpc.frames import Code, Setting
from holdfast_kit.rpc.hpack import encode

REQUEST = encode([(":method", "POST"), (":path", "/a/b")])
ANSWER = encode([(":status", "200")])
TRAILERS = encode([("grpc-status", "0")])


class Pair:
    """A client and a server, and what each has heard."""

    def __init__(self) -> None:
        self.client, self.server = Connection(is_client=True), Connection()
        self.heard: dict[str, list[Event]] = {"client": [], "server": []}

    def settle(self, *, piece: int = 1 << 20) -> None:
        """Carries bytes to and fro, so many at a time, until both are silent."""
        while self.client.has_output or self.server.has_output:
            for sender, receiver, name in ((self.client, self.server, "server"), (self.server, self.client, "client")):
                data = sender.output()
                for at in range(0, len(data), piece):
                    self.heard[name] += receiver.receive(data[at : at + piece])

    def data(self, name: str, stream_id: int) -> bytes:
        events = self.heard[name]
        return b"".join(each.data for each in events if isinstance(each, DataCame) and each.stream_id == stream_id)


def served(*, streams_max: int = bounds.STREAMS_MAX) -> Connection:
    """A server whose client has said hello."""
    server = Connection(streams_max=streams_max)
    assert server.receive(frames.PREFACE + frames.settings({})) == []
    server.output()
    return server


def opened(server: Connection, stream_id: int = 1) -> Connection:
    server.receive(frames.headers(stream_id, REQUEST, ends=False))
    return server


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=200_000), max_size=6), st.integers(1, 70_000))
def test_what_is_sent_arrives_however_it_is_cut(messages: list[bytes], piece: int) -> None:
    pair = Pair()
    stream_id = pair.client.open(REQUEST)
    for message in messages:
        pair.client.send_data(stream_id, message)
    pair.client.send_end(stream_id, None)
    pair.settle(piece=piece)
    assert pair.data("server", stream_id) == b"".join(messages)
    pair.server.send_headers(stream_id, ANSWER)
    for message in messages:
        pair.server.send_data(stream_id, message)
    pair.server.send_end(stream_id, TRAILERS)
    pair.settle(piece=piece)
    assert pair.data("client", stream_id) == b"".join(messages)
    assert isinstance(pair.heard["client"][-1], HeadersCame)
    assert pair.client.streams == pair.server.streams == 0


def test_a_stream_goes_on_when_its_reader_gives_the_window_back() -> None:
    pair = Pair()
    stream_id = pair.client.open(REQUEST)
    pair.settle()
    message = b"x" * (bounds.STREAM_WINDOW + 2 * bounds.QUEUE_HIGH)
    assert not pair.client.send_data(stream_id, message), "the writer should be told to wait"
    pair.settle()
    assert len(pair.data("server", stream_id)) == bounds.STREAM_WINDOW
    pair.server.consumed(stream_id, bounds.STREAM_WINDOW)
    pair.settle()
    assert pair.data("server", stream_id) == message


def test_the_writer_hears_that_its_queue_has_gone_out() -> None:
    server = opened(served())
    server.send_data(1, b"x" * (frames.WINDOW + bounds.QUEUE_HIGH + 1))
    found = server.receive(frames.window_update(0, 1 << 24) + frames.window_update(1, 1 << 24))
    assert found == [Drained(1)]


def test_streams_share_the_window_of_the_connection() -> None:
    server = opened(opened(served(), 1), 3)
    for stream_id in (1, 3):
        server.send_data(stream_id, b"x" * frames.WINDOW)
    server.output()
    server.receive(frames.window_update(0, 2 * frames.FRAME_BYTES) + frames.window_update(3, 1))
    out = server.output()
    assert out.count(b"\0\x40\0\0\0\0\0\0\3") == 2, "stream 3 waits for the connection alone"


def test_a_smaller_window_counts_for_streams_that_are_open() -> None:
    server = opened(served())
    server.receive(frames.settings({Setting.INITIAL_WINDOW_SIZE: 10}))
    server.output()
    server.send_data(1, b"x" * 30)
    assert server.output().endswith(b"x" * 10)
    server.receive(frames.settings({Setting.INITIAL_WINDOW_SIZE: 0}) + frames.window_update(1, 5))
    server.output()
    server.receive(frames.window_update(1, 5 + 20))
    assert server.output().endswith(b"x" * 20)


def test_a_server_that_ends_first_spares_the_client_the_rest() -> None:
    pair = Pair()
    stream_id = pair.client.open(REQUEST)
    pair.settle()
    pair.server.send_end(stream_id, TRAILERS)
    pair.settle()
    assert pair.heard["client"][-1] == StreamReset(stream_id, Code.NO_ERROR)
    pair.client.send_data(stream_id, b"late")
    pair.settle()
    assert pair.client.streams == pair.server.streams == 0


def test_data_of_a_stream_that_was_reset_meanwhile_is_nobodys() -> None:
    server = opened(served())
    server.reset(1, Code.CANCEL)
    assert server.receive(frames.frame(frames.DATA, 0, 1, b"late") + frames.window_update(1, 1)) == []


def test_pings_are_answered_with_what_they_hold() -> None:
    server = served()
    server.receive(frames.frame(frames.PING, 0, 0, b"12345678"))
    assert server.output() == frames.frame(frames.PING, frames.ACK, 0, b"12345678")


def test_padding_and_priorities_are_taken_off() -> None:
    server = served()
    flags = frames.END_HEADERS | frames.PADDED | frames.HAS_PRIORITY
    server.receive(frames.frame(frames.HEADERS, flags, 1, b"\2" + bytes(5) + REQUEST + bytes(2)))
    data = frames.frame(frames.DATA, frames.PADDED | frames.END_STREAM, 1, b"\3abc" + bytes(3))
    assert server.receive(data) == [DataCame(1, b"abc", ends=True)]


def test_a_header_block_may_come_in_pieces() -> None:
    server = served()
    first = frames.frame(frames.HEADERS, frames.END_STREAM, 1, REQUEST[:3])
    rest = frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, REQUEST[3:])
    (event,) = server.receive(first + rest)
    assert event == HeadersCame(1, ((":method", "POST"), (":path", "/a/b")), ends=True)


def test_after_a_farewell_new_streams_are_not_taken_and_old_ones_go_on() -> None:
    server = opened(served())
    server.close()
    assert server.receive(frames.headers(3, REQUEST, ends=True)) == []
    assert server.receive(frames.frame(frames.DATA, 0, 1, b"more")) == [DataCame(1, b"more", ends=False)]


def test_a_call_that_crosses_the_farewell_costs_the_others_nothing() -> None:
    """Its caller had not heard yet: headers and data come together, and are for nobody."""
    server = opened(served())
    server.close()
    crossing = frames.headers(3, REQUEST, ends=False) + frames.frame(frames.DATA, frames.END_STREAM, 3, b"hello")
    assert server.receive(crossing + frames.reset(3, Code.CANCEL)) == []
    assert server.receive(frames.frame(frames.DATA, 0, 1, b"more")) == [DataCame(1, b"more", ends=False)]


HEADERS_1 = frames.headers(1, REQUEST, ends=True)
BROKEN = {
    "no HTTP/2": (b"GET / HTTP/1.1\r\n", Code.PROTOCOL_ERROR),
    "data for nobody": (frames.frame(frames.DATA, 0, 5, b"x"), Code.PROTOCOL_ERROR),
    "a reset of nothing": (frames.reset(5, 8), Code.PROTOCOL_ERROR),
    "a stream of the server's": (frames.headers(2, REQUEST, ends=True), Code.PROTOCOL_ERROR),
    "headers again": (frames.headers(1, REQUEST, ends=False) * 2, Code.PROTOCOL_ERROR),
    "a push": (frames.frame(frames.PUSH_PROMISE, 4, 1, bytes(4)), Code.PROTOCOL_ERROR),
    "padding beyond its frame": (
        frames.headers(1, REQUEST, ends=False) + frames.frame(frames.DATA, frames.PADDED, 1, b"\x09abc"),
        Code.PROTOCOL_ERROR,
    ),
    "a block with something between": (
        frames.frame(frames.HEADERS, 0, 1, REQUEST) + frames.frame(frames.PING, 0, 0, bytes(8)),
        Code.PROTOCOL_ERROR,
    ),
    "a continuation of nothing": (frames.frame(frames.CONTINUATION, 4, 1, REQUEST), Code.PROTOCOL_ERROR),
    "headers that mean nothing": (frames.headers(1, b"\x80", ends=True), Code.COMPRESSION_ERROR),
    "a frame that is too large": (b"\xff\xff\xff\0\0\0\0\0\1", Code.FRAME_SIZE_ERROR),
    "a window of nothing": (HEADERS_1 + frames.window_update(1, 0), Code.PROTOCOL_ERROR),
    "a window that bursts": (frames.window_update(0, frames.WINDOW_MAX), Code.FLOW_CONTROL_ERROR),
    "half a setting": (frames.frame(frames.SETTINGS, 0, 0, b"abc"), Code.FRAME_SIZE_ERROR),
    "frames of nothing": (frames.settings({Setting.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR),
    "a short ping": (frames.frame(frames.PING, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    "a short farewell": (frames.frame(frames.GOAWAY, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    "a block without an end": (
        frames.frame(frames.HEADERS, 0, 1, REQUEST) + frames.frame(frames.CONTINUATION, 0, 1, b"x" * 60_000) * 2,
        Code.ENHANCE_YOUR_CALM,
    ),
    "calls that are all cancelled": (
        b"".join(
            frames.headers(each, REQUEST, ends=True) + frames.reset(each, 8)
            for each in range(1, 2 * bounds.FUTILE_MAX + 9, 2)
        ),
        Code.ENHANCE_YOUR_CALM,
    ),
    "pings without end": (frames.frame(frames.PING, 0, 0, bytes(8)) * 10_002, Code.ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_peer_that_breaks_the_protocol_is_told_and_not_heard_again(name: str) -> None:
    data, code = BROKEN[name]
    server = Connection() if name == "no HTTP/2" else served()
    lost = server.receive(data)[-1]
    assert isinstance(lost, Lost)
    assert lost.code is code
    assert code.to_bytes(4, "big") in server.output()
    assert server.receive(HEADERS_1) == []


def test_more_than_a_window_is_refused() -> None:
    server = opened(served())
    frame = frames.frame(frames.DATA, 0, 1, bytes(bounds.FRAME_BYTES_MAX))
    events = [
        event for _ in range(bounds.STREAM_WINDOW // bounds.FRAME_BYTES_MAX + 1) for event in server.receive(frame)
    ]
    assert events[-1] == Lost(Code.FLOW_CONTROL_ERROR, "stream 1 was sent more than its window")


@given(st.binary(max_size=400))
def test_any_bytes_are_understood_or_refused(data: bytes) -> None:
    server = served()
    for event in server.receive(data):
        assert isinstance(event, HeadersCame | DataCame | StreamReset | Drained | Lost) or event
    assert isinstance(server.output(), bytes)


def test_streams_have_a_bound() -> None:
    server = opened(opened(served(streams_max=2), 1), 3)
    server.output()
    assert server.receive(frames.headers(5, REQUEST, ends=True)) == []
    assert server.output() == frames.reset(5, Code.REFUSED_STREAM)
