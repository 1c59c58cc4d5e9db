"""Messages inside a stream's data: five bytes of prefix, then the message, cut anywhere by frames."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Final

from holdfast_kit.rpc.status import Aborted, Status

MESSAGE_BYTES_MAX: Final = 512 << 20  # what is sensible is limited elsewhere, by name; this is what memory bears
_PREFIX: Final = Struct(">?I")  # whether it is compressed, and its length
_PREFIX_BYTES: Final = 5
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}


def framed(message: bytes) -> bytes:
    return _PREFIX.pack(False, len(message)) + message


class Messages:
    """Puts the messages of one stream together. `encoding` is the name that its headers gave."""

    __slots__ = ("_bytes_max", "_encoding", "_pending", "_wanted")

    def __init__(self, encoding: str = "identity", *, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._encoding = encoding
        self._bytes_max = bytes_max
        self._pending = bytearray()
        self._wanted = _PREFIX_BYTES  # bytes that must be there before it is worth looking again

    @property
    def is_between(self) -> bool:
        """Whether nothing of a message is waiting for its rest."""
        return not self._pending

    def take(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete. Aborted when they cannot be taken."""
        if not self._pending and len(data) >= _PREFIX_BYTES:
            is_packed, size = _PREFIX.unpack_from(data)
            if len(data) == size + _PREFIX_BYTES and size <= self._bytes_max and not is_packed:
                return [data[_PREFIX_BYTES:]]
        self._pending += data
        found = list[bytes]()
        while len(self._pending) >= self._wanted:
            pending = self._pending
            is_packed, size = _PREFIX.unpack_from(pending)
            if size > self._bytes_max:
                raise Aborted(
                    Status.RESOURCE_EXHAUSTED,
                    f"a message of {size} bytes: expected at most {self._bytes_max}; send it in parts",
                )
            end = _PREFIX_BYTES + size
            if len(pending) < end:
                self._wanted = end
                break
            message = bytes(memoryview(pending)[_PREFIX_BYTES:end])
            found.append(self._unpacked(message) if is_packed else message)
            del pending[:end]
            self._wanted = _PREFIX_BYTES
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
            found = unpacker.decompress(message, self._bytes_max)
        except zlib.error as error:
            raise Aborted(Status.INTERNAL, f"a compressed message that cannot be read: {error}") from error
        if not unpacker.eof and not unpacker.unconsumed_tail:
            raise Aborted(Status.INTERNAL, "a compressed message that ends in the middle")
        if unpacker.unconsumed_tail:
            raise Aborted(Status.RESOURCE_EXHAUSTED, f"a message above {self._bytes_max} bytes when unpacked")
        return found
