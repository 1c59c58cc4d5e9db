"""HPACK (RFC 7541): header fields from and to bytes.

Reading knows all of it. Writing uses the static table and literals only: what this side says hardly changes, so whole
blocks are made once and sent again, and no table of the peer's has to be kept in step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, TypeAlias

from holdfast_kit.rpc.huffman import BadHuffman
from holdfast_kit.rpc.huffman import decode as decode_huffman

Headers: TypeAlias = tuple[tuple[str, str], ...]

TABLE_BYTES: Final = 4096  # of the dynamic table, as every connection has it unless it says otherwise
ENTRY_BYTES: Final = 32  # that an entry counts beyond its text
KNOWN_MAX: Final = 128  # blocks that are remembered as a whole
_TEXT: Final = (
    ":authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status "
    ":status accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin "
    "age allow authorization cache-control content-disposition content-encoding content-language "
    "content-length content-location content-range content-type cookie date etag expect expires from host "
    "if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location "
    "max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
_NAMES: Final = tuple(_TEXT.split())
_VALUES: Final = {
    2: "GET",
    3: "POST",
    4: "/",
    5: "/index.html",
    6: "http",
    7: "https",
    16: "gzip, deflate",
    **dict(zip(range(8, 15), ("200", "204", "206", "304", "400", "404", "500"), strict=True)),
}
STATIC: Final = tuple((name, _VALUES.get(index, "")) for index, name in enumerate(_NAMES, 1))
_STATIC_INDEX: Final = {field: index for index, field in enumerate(STATIC, 1)}
_NAME_INDEX: Final = {name: index for index, (name, _) in reversed(list(enumerate(STATIC, 1)))}


class BadHeaders(ValueError):
    """A block that cannot be read. The connection is over: the tables of both sides differ from here on."""


class Decoder:
    """The reading end of one connection: blocks must be given in order, each once."""

    def __init__(self, *, list_bytes_max: int) -> None:
        self._list_bytes_max = list_bytes_max
        self._table: deque[tuple[str, str]] = deque()  # newest first
        self._table_bytes = 0
        self._bound = TABLE_BYTES
        self._known: dict[bytes, Headers] = {}  # blocks that left the table as it was, until it changes

    def decode(self, block: bytes) -> Headers:
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            return self._decode(block)
        except (IndexError, UnicodeDecodeError, BadHuffman) as error:
            raise BadHeaders(f"header block of {len(block)} bytes: {error}") from error

    def _decode(self, block: bytes) -> Headers:
        fields, at, size, is_stable = list[tuple[str, str]](), 0, 0, True
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = read_int(block, at, 7)
                field = self._field(index)
            elif first & 0xE0 == 0x20:
                bound, at = read_int(block, at, 5)
                self._resize(bound, may=not fields)
                is_stable = False
                continue
            else:
                is_kept = bool(first & 0x40)
                field, at = self._literal(block, at, 6 if is_kept else 4)
                if is_kept:
                    self._keep(field)
                    is_stable = False
            fields.append(field)
            size += len(field[0]) + len(field[1]) + ENTRY_BYTES
            if size > self._list_bytes_max:
                raise BadHeaders(f"header fields: expected at most {self._list_bytes_max} bytes, found more")
        headers = tuple(fields)
        if is_stable and len(self._known) < KNOWN_MAX:
            self._known[block] = headers
        return headers

    def _field(self, index: int) -> tuple[str, str]:
        if index == 0:
            raise BadHeaders("header field: index 0 means nothing")
        return STATIC[index - 1] if index <= len(STATIC) else self._table[index - len(STATIC) - 1]

    def _literal(self, block: bytes, at: int, prefix: int) -> tuple[tuple[str, str], int]:
        index, at = read_int(block, at, prefix)
        if index:
            name = self._field(index)[0]
        else:
            name, at = _text(block, at)
        value, at = _text(block, at)
        return (name, value), at

    def _keep(self, field: tuple[str, str]) -> None:
        self._known.clear()
        size = len(field[0]) + len(field[1]) + ENTRY_BYTES
        self._evict(self._bound - size)
        if size <= self._bound:
            self._table.appendleft(field)
            self._table_bytes += size

    def _resize(self, bound: int, *, may: bool) -> None:
        if not may or bound > TABLE_BYTES:
            raise BadHeaders(
                f"header table: expected at most {TABLE_BYTES} bytes, said before any field; found {bound}"
            )
        self._known.clear()
        self._bound = bound
        self._evict(bound)

    def _evict(self, bound: int) -> None:
        while self._table and self._table_bytes > bound:
            name, value = self._table.pop()
            self._table_bytes -= len(name) + len(value) + ENTRY_BYTES


def encode(headers: Iterable[tuple[str, str]]) -> bytes:
    """One block; leaves the peer's table as it is."""
    block = bytearray()
    for field in headers:
        index = _STATIC_INDEX.get(field)
        if index is not None:
            block += write_int(index, 7, 0x80)
            continue
        name, value = field
        block += write_int(_NAME_INDEX.get(name, 0), 4, 0)
        if name not in _NAME_INDEX:
            block += _string(name)
        block += _string(value)
    return bytes(block)


def read_int(data: bytes, at: int, prefix: int) -> tuple[int, int]:
    """The number whose first byte is at `at`, and where the next thing begins."""
    mask = (1 << prefix) - 1
    value, at = data[at] & mask, at + 1
    if value < mask:
        return value, at
    for shift in range(0, 29, 7):
        byte, at = data[at], at + 1
        value += (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BadHeaders("header block: a number in it has no end")


def write_int(value: int, prefix: int, flags: int) -> bytes:
    mask = (1 << prefix) - 1
    if value < mask:
        return bytes((flags | value,))
    found, value = bytearray((flags | mask,)), value - mask
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _text(data: bytes, at: int) -> tuple[str, int]:
    is_packed = bool(data[at] & 0x80)
    length, at = read_int(data, at, 7)
    end = at + length
    if end > len(data):
        raise BadHeaders(f"header text: expected {length} bytes, found {len(data) - at}")
    raw = data[at:end]
    return (decode_huffman(raw) if is_packed else raw).decode("latin-1"), end


def _string(text: str) -> bytes:
    raw = text.encode("latin-1")
    return write_int(len(raw), 7, 0) + raw
