"""Queries: pages out of the index. What the index cannot tell is read from the records and sorted out here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from holdfast_sidecar.core.state import Filter, Page, View
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.matching import matches
from holdfast_sidecar.stores.redis_keys import AFTER_ALL, PartitionKeys, id_prefix
from holdfast_sidecar.stores.redis_link import Item, Script, script
from holdfast_sidecar.stores.redis_query import order, place_of, prefixes, span_of
from holdfast_sidecar.stores.redis_scan import Place, Source, Span, scan
from holdfast_sidecar.stores.text import is_encodable, is_storable

_SCAN: Final = script("scan", items_max=2048)
_COUNT: Final = script("count", items_max=2048)
_FEW: Final = 1000  # so many with a prefix are read and sorted; if more, the order is scanned for them
_SCANNED_MAX: Final = 1000  # places that one page looks at; a page that is short for it says where to go on


class ViewOf(Protocol):
    async def __call__(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]: ...


class _Found(NamedTuple):
    partition: int
    place: tuple[int, str]  # time and id

    @property
    def instance(self) -> tuple[int, str]:
        return self.partition, self.place[1]


class Search:
    def __init__(
        self,
        keys: Sequence[PartitionKeys],
        *,
        run: Callable[[Script, Sequence[Item]], Awaitable[list[Any]]],
        view: ViewOf,
    ) -> None:
        self._keys = keys
        self._run = run
        self._view = view

    async def page(self, wanted: Filter, *, limit: int, cursor: str, payloads: bool) -> Page:
        start = decode_cursor(cursor, tuple[int, str])
        if not (is_encodable(wanted.name) and is_storable(wanted.id_prefix)):
            return Page()  # nothing has such a name or id
        if wanted.id_prefix and await self._are_few(wanted.id_prefix):
            return await self._page_of_few(wanted, start, limit=limit, payloads=payloads)
        return await self._page_in_order(wanted, start, limit=limit, payloads=payloads)

    async def scan(self, sources: Sequence[Source], span: Span, *, limit: int) -> list[Place]:
        return await scan(self._fetch, sources, span, limit=limit)

    async def _fetch(self, items: Sequence[Item]) -> list[list[bytes]]:
        return await self._run(_SCAN, items)

    async def _page_in_order(
        self, wanted: Filter, start: tuple[int, str] | None, *, limit: int, payloads: bool
    ) -> Page:
        views, scanned, size = list[View](), 0, limit
        while scanned < _SCANNED_MAX:
            places = await self._places(wanted, start, size + 1)
            asked = [found for found in places[:size] if found.place[1].startswith(wanted.id_prefix)]
            seen = await self._view([found.instance for found in asked], payloads=payloads)
            for found, view in zip(asked, seen, strict=True):
                if view is not None and matches(view.record, wanted):
                    views.append(view)
                if len(views) == limit:
                    has_more = found is not places[-1]
                    return Page(views=tuple(views), cursor=encode_cursor(found.place) if has_more else "")
            if len(places) <= size:
                return Page(views=tuple(views))
            start, scanned, size = places[size - 1].place, scanned + size, min(2 * size, _SCANNED_MAX)
        return Page(views=tuple(views), cursor=encode_cursor(start) if start else "")

    async def _places(self, wanted: Filter, start: tuple[int, str] | None, limit: int) -> list[_Found]:
        parts = prefixes(wanted)
        sources = [Source(partition, keys.index, parts) for partition, keys in enumerate(self._keys)]
        places = await self.scan(sources, span_of(wanted, start), limit=limit)
        return [_Found(place.partition, place_of(place.position)) for place in places]

    async def _are_few(self, start_of_id: str) -> bool:
        low = id_prefix(start_of_id)
        bounds = (b"[" + low, b"(" + low + AFTER_ALL)
        counts = await self._run(
            _COUNT, [Item(number, (keys.index,), bounds) for number, keys in enumerate(self._keys)]
        )
        total: int = sum(counts)
        return total <= _FEW

    async def _page_of_few(self, wanted: Filter, start: tuple[int, str] | None, *, limit: int, payloads: bool) -> Page:
        """Reads all with the prefix: their ids are in order of text, not of time."""
        sources = [Source(number, keys.index, (id_prefix(""),)) for number, keys in enumerate(self._keys)]
        low = wanted.id_prefix.encode()
        places = await self.scan(sources, Span(low, low + AFTER_ALL), limit=2 * _FEW)
        views = await self._view([(place.partition, place.position.decode()) for place in places], payloads=payloads)
        kept = [view for view in views if view is not None and matches(view.record, wanted)]
        kept = [view for view in kept if start is None or order(view.record, wanted) > start]
        kept.sort(key=lambda view: order(view.record, wanted))
        has_more = len(kept) > limit
        return Page(
            views=tuple(kept[:limit]), cursor=encode_cursor(order(kept[limit - 1].record, wanted)) if has_more else ""
        )
