"""Completion tokens: which dispatch of which work an answer belongs to. Clients give them back as they came.

A token is checked, not signed: it keeps an answer to an older dispatch, or a mangled text, from being taken for an
answer. It gives no rights; whoever may call the service may complete work anyway.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple
from zlib import crc32

_SUM_LENGTH: Final = 8
_LENGTH_MAX: Final = _SUM_LENGTH + 1 + 20  # no dispatch has more digits; a longer text is not worth reading


class Work(StrEnum):
    TURN = "t"
    ACTIVITY = "a"


_WORKS: Final = {work.value: work for work in Work}


class Token(NamedTuple):
    """`dispatch` is the pool's number of the sending: no other one has it, not even of the same work."""

    work: Work
    dispatch: int


def write_token(token: Token) -> str:
    body = token.work + format(token.dispatch, "x")
    return format(crc32(body.encode()), "08x") + body


def read_token(text: str) -> Token | None:
    """None for everything that `write_token` did not write, or would not write like this."""
    work = _WORKS.get(text[_SUM_LENGTH : _SUM_LENGTH + 1])
    if work is None or len(text) > _LENGTH_MAX:
        return None
    try:
        token = Token(work, int(text[_SUM_LENGTH + 1 :], 16))
    except ValueError:
        return None
    return token if write_token(token) == text else None
