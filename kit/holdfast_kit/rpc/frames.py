"""The frames of HTTP/2 (RFC 9113), as far as both ends of gRPC use them."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES: Final = 9  # before a frame's payload
FRAME_BYTES: Final = 16_384  # of a payload, for who has said nothing else
WINDOW: Final = 65_535
WINDOW_MAX: Final = 2**31 - 1
_HEAD: Final = Struct(">IBI")  # the length and the kind in one number, the flags, the stream

# Kinds and flags are plain numbers: they are compared for every frame.
DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 1
ACK: Final = 1
END_HEADERS: Final = 4
PADDED: Final = 8
HAS_PRIORITY: Final = 32


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Code(IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


def head(data: bytes, at: int) -> tuple[int, int, int, int]:
    """The length of its payload, kind, flags and stream of the frame that begins there."""
    first, flags, stream_id = _HEAD.unpack_from(data, at)
    return first >> 8, first & 0xFF, flags, stream_id & 0x7FFFFFFF


def frame(kind: int, flags: int, stream_id: int, payload: bytes | memoryview) -> bytes:
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def settings(values: dict[Setting, int]) -> bytes:
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream_id: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, size.to_bytes(4, "big"))


def reset(stream_id: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway(last_id: int, code: int, why: str = "") -> bytes:
    payload = last_id.to_bytes(4, "big") + code.to_bytes(4, "big") + why.encode("utf-8", "replace")
    return frame(GOAWAY, 0, 0, payload)


def headers(stream_id: int, block: bytes, *, ends: bool, frame_bytes: int = FRAME_BYTES) -> bytes:
    """One block in as many frames as it needs."""
    flags = END_STREAM if ends else 0
    if len(block) <= frame_bytes:
        return frame(HEADERS, flags | END_HEADERS, stream_id, block)
    parts = [block[at : at + frame_bytes] for at in range(0, len(block), frame_bytes)]
    found = [frame(HEADERS, flags, stream_id, parts[0])]
    found += [frame(CONTINUATION, 0, stream_id, part) for part in parts[1:-1]]
    return b"".join([*found, frame(CONTINUATION, END_HEADERS, stream_id, parts[-1])])
