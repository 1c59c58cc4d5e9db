"""Protobuf's outer form by hand: frames put together around stored bytes, and bytes looked at without a schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_ONE_BYTE: Final = tuple(bytes((n,)) for n in range(0x80))
_MORE: Final = 0x80
_LONGEST_VARINT: Final = 10


class Malformed(ValueError):
    """Not the outer form of any message."""


class Field(NamedTuple):
    """One field as it stands in the bytes. `value` is a number, or the bytes of what has a length."""

    number: int
    value: int | bytes


def varint(number: int) -> bytes:
    if number < _MORE:
        return _ONE_BYTE[number]
    out = bytearray()
    while number >= _MORE:
        out.append(number & 0x7F | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, body: bytes) -> bytes:
    return b"".join((tag, varint(len(body)), body))


def text(tag: bytes, value: str) -> bytes:
    return field(tag, value.encode())


def repeated(tag: bytes, bodies: Iterable[bytes]) -> bytes:
    parts: list[bytes] = []
    for body in bodies:
        parts += (tag, varint(len(body)), body)
    return b"".join(parts)


def fields(data: bytes) -> Iterator[Field]:
    """The top-level fields in their order. Raises Malformed on the way when the bytes break off."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        if tag >> 3 == 0:
            raise Malformed("a field numbered 0")
        value, at = _read_value(data, at, tag & 7)
        yield Field(tag >> 3, value)


def _read_value(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    match wire_type:
        case 0:
            return _read_varint(data, at)
        case 1:
            size = 8
        case 2:
            size, at = _read_varint(data, at)
        case 5:
            size = 4
        case _:
            raise Malformed(f"wire type {wire_type}")
    if at + size > len(data):
        raise Malformed(f"a field of {size} bytes where {len(data) - at} are left")
    return data[at : at + size], at + size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(data[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < _MORE:
            return value, at + place + 1
    raise Malformed(f"a number that does not end at {at}")
