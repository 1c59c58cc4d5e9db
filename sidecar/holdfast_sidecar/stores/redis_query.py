"""Which parts of the index answer a query, and where in them a page lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Filter, Record
from holdfast_sidecar.stores.redis_keys import (
    AFTER_ALL,
    completed_prefix,
    created_prefix,
    name_prefix,
    status_prefix,
)
from holdfast_sidecar.stores.redis_scan import Span
from holdfast_sidecar.stores.stamps import STAMP_LENGTH, stamp

_STATUSES: Final = tuple(Status)


def prefixes(wanted: Filter) -> Sequence[bytes]:
    """The narrowest parts that together hold everything wanted in the order wanted. What else they hold is filtered."""
    if wanted.by_completion:
        return [completed_prefix(status) for status in wanted.statuses or _STATUSES]
    if wanted.name:
        return [name_prefix(wanted.name, status) for status in wanted.statuses or _STATUSES]
    if wanted.statuses:
        return [status_prefix(status) for status in wanted.statuses]
    return [created_prefix()]


def span_of(wanted: Filter, start: tuple[int, str] | None) -> Span:
    """From the place after `start`, or the beginning, to the end of what is wanted."""
    first, end = (
        (wanted.completed_from, wanted.completed_to)
        if wanted.by_completion
        else (wanted.created_from, wanted.created_to)
    )
    high = stamp(end).encode() if end else AFTER_ALL
    if start is not None:
        return Span(stamp(start[0]).encode() + start[1].encode(), high, is_after=True)
    return Span(stamp(first).encode(), high)


def place_of(position: bytes) -> tuple[int, str]:
    return int(position[:STAMP_LENGTH]), position[STAMP_LENGTH:].decode()


def order(record: Record, wanted: Filter) -> tuple[int, str]:
    """Where a record stands among what is wanted."""
    at = record.completed_at if wanted.by_completion else record.created_at
    return at or 0, record.id
