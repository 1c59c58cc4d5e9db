"""Messages inside a stream's data: five bytes of prefix, then the message, cut anywhere by frames."""

from __future__ import annotations

import zlib
from typing import Final

from holdfast_kit.rpc.status import Aborted, Status

PREFIX: Final = 5
MESSAGE_BYTES_MAX: Final = 512 << 20  # what is sensible is limited elsewhere, by name; this is what memory bears
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}


def framed(message: bytes) -> bytes:
    return b"\0%b%b" % (len(message).to_bytes(4, "big"), message)


class Messages:
    """Puts the messages of one stream together. `encoding` is the name that its headers gave."""

    __slots__ = ("_encoding", "_pending", "_wanted")

    def __init__(self, encoding: str = "identity") -> None:
        self._encoding = encoding
        self._pending = bytearray()
        self._wanted = PREFIX  # bytes that must be there before it is worth looking again

    @property
    def is_between(self) -> bool:
        """Whether nothing of a message is waiting for its rest."""
        return not self._pending

    def take(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete. Aborted when they cannot be taken."""
        if not self._pending:
            size = int.from_bytes(data[1:5], "big")
            if len(data) == size + PREFIX and not data[0]:
                return [data[PREFIX:]]
        self._pending += data
        found = list[bytes]()
        while len(self._pending) >= self._wanted:
            pending = self._pending
            size = int.from_bytes(pending[1:5], "big")
            if size > MESSAGE_BYTES_MAX:
                raise Aborted(
                    Status.RESOURCE_EXHAUSTED,
                    f"a message of {size} bytes: expected at most {MESSAGE_BYTES_MAX}; send it in parts",
                )
            end = PREFIX + size
            if len(pending) < end:
                self._wanted = end
                break
            message = bytes(memoryview(pending)[PREFIX:end])
            found.append(self._unpacked(message) if pending[0] else message)
            del pending[:end]
            self._wanted = PREFIX
        return found

    def _unpacked(self, message: bytes) -> bytes:
        bits = _WINDOW_BITS.get(self._encoding)
        if bits is None:
            raise Aborted(
                Status.UNIMPLEMENTED,
                f"compression {self._encoding!r}: expected gzip, deflate or none; send without",
            )
        unpacker = zlib.decompressobj(bits)
        try:
            found = unpacker.decompress(message, MESSAGE_BYTES_MAX)
        except zlib.error as error:
            raise Aborted(Status.INTERNAL, f"a compressed message that cannot be read: {error}") from error
        if not unpacker.eof and not unpacker.unconsumed_tail:
            raise Aborted(Status.INTERNAL, "a compressed message that ends in the middle")
        if unpacker.unconsumed_tail:
            raise Aborted(Status.RESOURCE_EXHAUSTED, f"a message above {MESSAGE_BYTES_MAX} bytes when unpacked")
        return found
