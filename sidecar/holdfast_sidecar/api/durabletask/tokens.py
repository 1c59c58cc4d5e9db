"""Completion tokens: which dispatch of which work an answer belongs to. Clients give them back as they came.

A token is checked, not signed: it keeps an answer to an older dispatch, or a mangled text, from being taken for an
answer. It gives no rights; whoever may call the service may complete work anyway.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from zlib import crc32

from msgspec import Struct

from holdfast_sidecar.api.durabletask.model import Dialect

_SUM_LENGTH: Final = 8
_PARTS: Final = 4
_DIALECTS: Final = {dialect.value: dialect for dialect in Dialect}


class Work(StrEnum):
    TURN = "t"
    ACTIVITY = "a"


_WORKS: Final = {work.value: work for work in Work}


class Token(Struct, frozen=True, kw_only=True):
    """`number` is the turn's number, or the activity's seq. `dispatch` tells two sendings of the same work apart."""

    dialect: Dialect
    work: Work
    instance_id: str
    generation: int
    number: int
    dispatch: int


def write_token(token: Token) -> str:
    body = (
        f"{token.dialect.value}{token.work.value}"
        f"{token.generation:x}.{token.number:x}.{token.dispatch:x}.{token.instance_id}"
    )
    return f"{crc32(body.encode()):08x}{body}"


def read_token(text: str) -> Token | None:
    """None for everything that `write_token` did not write."""
    body = text[_SUM_LENGTH:]
    if text[:_SUM_LENGTH] != f"{crc32(body.encode(errors='replace')):08x}":
        return None
    dialect, work = _DIALECTS.get(body[:1]), _WORKS.get(body[1:2])
    parts = body[2:].split(".", _PARTS - 1)
    if dialect is None or work is None or len(parts) != _PARTS:
        return None
    try:
        generation, number, dispatch = (int(part, 16) for part in parts[:-1])
    except ValueError:
        return None
    return Token(
        dialect=dialect, work=work, instance_id=parts[-1], generation=generation, number=number, dispatch=dispatch
    )
