"""Cursors: where a page ended, as text that a client hands back. They hold a position and never a filter."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Annotated, TypeAlias, TypeVar

import msgspec

from holdfast_sidecar.core.errors import InvalidRequest

Position = TypeVar("Position")

_Time: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Storable: TypeAlias = tuple[_Time | str, ...]  # no store takes a larger number


def encode_cursor(position: tuple[object, ...]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode("ascii")


def decode_cursor(cursor: str, kind: type[Position]) -> Position | None:
    """The position that `encode_cursor` was given; None for the empty cursor of a first page."""
    if not cursor:
        return None
    try:
        decoded = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        msgspec.json.decode(decoded, type=_Storable)
        return msgspec.json.decode(decoded, type=kind)
    except (NotBase64, ValueError, msgspec.MsgspecError) as unreadable:
        raise InvalidRequest(
            f"cursor {cursor[:40]!r}: expected one that an earlier page gave, found something else; "
            "start again without a cursor"
        ) from unreadable
