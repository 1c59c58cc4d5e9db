"""One ordered page out of many ordered sets, one or more per partition, without reading what the page does not need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from holdfast_sidecar.stores.redis_link import Item

Fetch: TypeAlias = Callable[[Sequence[Item]], Awaitable[list[list[bytes]]]]
_GROWTH: Final = 4  # of what one set is asked for, from round to round


class Span(NamedTuple):
    """Positions [low, high), or (low, high) when `after` is set: the bytes of members behind their set's prefix."""

    low: bytes
    high: bytes
    is_after: bool = False


class Place(NamedTuple):
    """A position and the partition it was found in; ordered by position."""

    position: bytes
    partition: int


@dataclass(slots=True)
class Source:
    """A part of an ordered set: the members that start with `prefix`, as far as they were read."""

    partition: int
    key: str
    prefix: bytes = b""
    read: list[bytes] = field(default_factory=list[bytes])  # positions, ascending
    is_done: bool = False

    def item(self, span: Span, count: int) -> Item:
        low = self.read[-1] if self.read else span.low
        bracket = b"(" if self.read or span.is_after else b"["
        return Item(self.partition, (self.key,), (bracket + self.prefix + low, b"(" + self.prefix + span.high, count))

    def take(self, members: Sequence[bytes], count: int) -> None:
        self.read += [member[len(self.prefix) :] for member in members]
        self.is_done = len(members) < count

    def may_hold_before(self, end: bytes | None) -> bool:
        """Whether something unread could belong before `end` (None: before anything)."""
        return not self.is_done and (end is None or not self.read or self.read[-1] < end)


async def scan(fetch: Fetch, sources: Sequence[Source], span: Span, *, limit: int) -> list[Place]:
    """The first `limit` places of all sources together.

    Each round asks only the sources that could still hold something before the page's end as known so far.
    """
    count = min(limit, 2 * limit // max(len(sources), 1) + 2)
    places, asked = list[Place](), list(sources)
    while asked:
        answers = await fetch([source.item(span, count) for source in asked])
        for source, members in zip(asked, answers, strict=True):
            source.take(members, count)
        places = sorted(Place(position, source.partition) for source in sources for position in source.read)[:limit]
        end = places[-1].position if len(places) == limit else None
        asked = [source for source in sources if source.may_hold_before(end)]
        count = min(limit, count * _GROWTH)
    return places
