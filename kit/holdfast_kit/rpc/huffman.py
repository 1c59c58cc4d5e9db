"""The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so the lengths say all."""

from __future__ import annotations

from typing import Final

END: Final = 256
_TEXT: Final = (  # of the code of each byte, and of the end
    "13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 "
    "6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 "
    "13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 "
    "15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 "
    "20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 "
    "22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 "
    "26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27 "
    "20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 "
    "30"
)
_LENGTHS: Final = tuple(map(int, _TEXT.split()))


class BadHuffman(ValueError):
    """Bytes that are no text in this code."""


def _codes() -> dict[tuple[int, int], int]:
    """From (length, code) to the symbol: shorter codes first, then by symbol, counting up."""
    codes, code, before = dict[tuple[int, int], int](), 0, 0
    for symbol in sorted(range(len(_LENGTHS)), key=lambda symbol: (_LENGTHS[symbol], symbol)):
        length = _LENGTHS[symbol]
        code <<= length - before
        codes[length, code] = symbol
        code, before = code + 1, length
    return codes


_SYMBOLS: Final = _codes()
_STEPS: Final = tuple(sorted(set(_LENGTHS)))


def decode(data: bytes) -> bytes:
    bits, left, found = int.from_bytes(data, "big"), len(data) * 8, bytearray()
    while (step := _first(bits, left)) is not None:
        symbol, length = step
        if symbol == END:
            raise BadHuffman("header text: the end of the code stands inside it")
        found.append(symbol)
        left -= length
        bits &= (1 << left) - 1
    if left > 7 or bits != (1 << left) - 1:
        raise BadHuffman("header text: expected the padding to be at most 7 ones")
    return bytes(found)


def _first(bits: int, left: int) -> tuple[int, int] | None:
    """The symbol that `left` bits begin with, and how many it takes; None when they hold no whole one."""
    for length in _STEPS:
        if length > left:
            return None
        symbol = _SYMBOLS.get((length, bits >> left - length))
        if symbol is not None:
            return symbol, length
    return None
