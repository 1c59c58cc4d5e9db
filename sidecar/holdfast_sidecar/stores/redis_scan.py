"""One ordered page out of many ordered sets, one per partition, without reading what the page does not need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from holdfast_sidecar.stores.redis_link import Item

Fetch: TypeAlias = Callable[[Sequence[Item]], Awaitable[list[list[bytes]]]]
_GROWTH: Final = 4  # of what one set is asked for, from round to round


class Span(NamedTuple):
    """Positions [low, high), or (low, high) with `is_after`. A position is a member without its prefix."""

    low: bytes
    high: bytes
    is_after: bool = False


class Place(NamedTuple):
    """A position and the partition it was found in; ordered by position."""

    position: bytes
    partition: int


@dataclass(slots=True)
class Source:
    """Parts of one ordered set, each the members that start with a prefix, read as if they were one."""

    partition: int
    key: str
    prefixes: Sequence[bytes] = (b"",)
    read: list[bytes] = field(default_factory=list[bytes])  # positions, ascending
    is_done: bool = False

    def item(self, span: Span, count: int) -> Item:
        bracket = "(" if self.read or span.is_after else "["
        low = self.read[-1] if self.read else span.low
        return Item(self.partition, (self.key,), (bracket, low, span.high, count, len(self.prefixes), *self.prefixes))

    def take(self, positions: list[bytes], count: int) -> None:
        if len(self.prefixes) > 1:
            positions.sort()
        self.read += positions[:count]  # beyond, a prefix that gave all it was asked for may hide some
        self.is_done = len(positions) < count

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
        for source, positions in zip(asked, answers, strict=True):
            source.take(positions, count)
        places = sorted(Place(position, source.partition) for source in sources for position in source.read)[:limit]
        end = places[-1].position if len(places) == limit else None
        asked = [source for source in sources if source.may_hold_before(end)]
        count = min(limit, count * _GROWTH)
    return places
