"""The statuses of gRPC, and the headers in which they travel."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

from holdfast_kit.rpc.hpack import encode


class Status(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Aborted(Exception):
    """A handler's word that its call ends with this status."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


_HEAD = ((":status", "200"), ("content-type", "application/grpc"))
HEAD = encode(_HEAD)
OK_TRAILERS = encode([("grpc-status", "0")])


def trailers(status: Status, text: str, *, with_head: bool = False) -> bytes:
    """The end of a call; `with_head` when nothing was sent before."""
    fields = [*(_HEAD if with_head else ()), ("grpc-status", str(int(status))), ("grpc-message", percent_encoded(text))]
    return encode(fields)


def percent_encoded(text: str) -> str:
    """Printable ASCII as it is, all else as its UTF-8 bytes."""
    return "".join(map(_octet, text.encode("utf-8", "replace")))


@lru_cache(maxsize=256)
def _octet(byte: int) -> str:
    return chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
