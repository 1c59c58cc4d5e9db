"""Completion tokens: which dispatch of which work an answer belongs to. Clients give them back as they came.

A token is checked, not signed: it keeps an answer to an older dispatch, or a mangled text, from being taken for an
answer. It gives no rights; whoever may call the service may complete work anyway.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple
from zlib import crc32

_SUM_LENGTH: Final = 8
_NUMBER: Final = re.compile(r"0|[1-9a-f][0-9a-f]{0,19}")


class Work(StrEnum):
    TURN = "t"
    ACTIVITY = "a"


_WORKS: Final = {work.value: work for work in Work}


class Token(NamedTuple):
    """`dispatch` is the pool's number of the sending: no other one has it, not even of the same work."""

    work: Work
    dispatch: int


def write_token(token: Token) -> str:
    body = f"{token.work.value}{token.dispatch:x}"
    return f"{crc32(body.encode()):08x}{body}"


def read_token(text: str) -> Token | None:
    """None for everything that `write_token` did not write."""
    body = text[_SUM_LENGTH:]
    work = _WORKS.get(body[:1])
    if work is None or text[:_SUM_LENGTH] != f"{crc32(body.encode(errors='replace')):08x}":
        return None
    return Token(work, int(body[1:], 16)) if _NUMBER.fullmatch(body, 1) else None
