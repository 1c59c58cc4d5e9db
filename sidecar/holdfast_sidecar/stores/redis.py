"""The store in Redis or Valkey: a hash per actor, one script per batch of commits, ordered sets to find things."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from redis.exceptions import ResponseError

from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores import redis_query, redis_rows
from holdfast_sidecar.stores.contract import Due, Outcome, StoreMismatch
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.redis_cluster import Cluster
from holdfast_sidecar.stores.redis_keys import (
    AFTER_ALL,
    LAYOUT,
    STAMP_MAX,
    PartitionKeys,
    id_prefix,
    layout_key,
    parse_due_member,
    partition_keys,
    stamp,
)
from holdfast_sidecar.stores.redis_link import Item, script
from holdfast_sidecar.stores.redis_scan import Source, Span, scan
from holdfast_sidecar.stores.redis_servers import OneServer, Servers, node_at, sentinel_node
from holdfast_sidecar.stores.urls import RedisMode, RedisUrl

logger = logging.getLogger(__name__)

_CLAIM: Final = script("claim", items_max=1, is_write=True)
_ACQUIRE: Final = script("acquire", items_max=1024, is_write=True)
_COMMIT: Final = script("commit", items_max=64, is_write=True)
_LOAD: Final = script("load", items_max=16)
_VIEW: Final = script("view", items_max=256)
_HISTORY: Final = script("history", items_max=1)
_SCAN: Final = script("scan", items_max=2048)
_COUNT: Final = script("count", items_max=2048)
_REMINDERS: Final = script("reminders", items_max=1024)

_FEW_IDS: Final = 1000  # so many with a prefix are read and sorted; if more, the order is scanned
_SCANNED_MAX: Final = 5000  # places of one query call; a page that is short for it says where to go on


def servers_of(url: RedisUrl) -> Servers:
    match url.mode:
        case RedisMode.STANDALONE:
            return OneServer(node_at(url, url.addresses[0]))
        case RedisMode.SENTINEL:
            return OneServer(sentinel_node(url))
        case RedisMode.CLUSTER:
            return Cluster(url.addresses, lambda address: node_at(url, address))


class RedisStore:
    def __init__(self, servers: Servers, *, prefix: str) -> None:
        self._servers = servers
        self._prefix = prefix
        self._keys = tuple[PartitionKeys, ...]()

    async def open(self, *, namespace: str, partitions: int) -> None:
        await self._servers.open()
        await self._claim({"layout": str(LAYOUT), "namespace": namespace, "partitions": str(partitions)})
        self._keys = tuple(partition_keys(self._prefix, namespace, number) for number in range(partitions))
        await self._warn_if_volatile()

    async def close(self) -> None:
        await self._servers.close()

    async def _claim(self, wanted: dict[str, str]) -> None:
        fields = [text for pair in wanted.items() for text in pair]
        (pairs,) = await self._servers.run(_CLAIM, [Item(-1, (layout_key(self._prefix),), fields)])
        texts = [text.decode() for text in pairs]
        found = dict(zip(texts[::2], texts[1::2], strict=True))
        if found != wanted:
            raise StoreMismatch(
                f"redis keys {self._prefix!r}: expected {_in_words(wanted)}, found {_in_words(found)}; "
                "nothing was touched; use the values that the data was made with, or another ?prefix="
            )

    async def _warn_if_volatile(self) -> None:
        for node in self._servers.nodes():
            (info,) = await node.call([("INFO", "persistence")])
            if isinstance(info, ResponseError) or b"aof_enabled:1" not in bytes(str(info), "utf-8"):
                logger.warning(
                    "the redis server keeps no append-only file, or does not say so; what it loses is lost",
                    extra={"server": node.name, "expected": "appendonly yes"},
                )

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        items = [Item(partition, (self._keys[partition].fence,), (epoch,)) for partition in partitions]
        held = await self._servers.run(_ACQUIRE, items)
        return [partition for partition, is_held in zip(partitions, held, strict=True) if is_held]

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        found: list[int] = await self._servers.run(_COMMIT, [self._item(commit) for commit in commits])
        return [redis_rows.OUTCOMES[number] for number in found]

    def _item(self, commit: Commit) -> Item:
        keys = redis_rows.commit_keys(self._keys[commit.partition], commit.instance_id)
        return Item(commit.partition, keys, redis_rows.commit_args(commit), redis_rows.weight(commit))

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        items = list[Item]()
        for partition, instance_id in instances:
            keys = self._keys[partition]
            parts = (keys.instance(instance_id), keys.activities(instance_id), keys.reminders(instance_id))
            items.append(Item(partition, parts, ()))
        found = await self._servers.run(_LOAD, items)
        ids = [instance_id for _, instance_id in instances]
        return [redis_rows.stored(answer, id_) for answer, id_ in zip(found, ids, strict=True)]

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        items = [
            Item(partition, (self._keys[partition].instance(instance_id),), (int(payloads),))
            for partition, instance_id in instances
        ]
        return [redis_rows.view(answer) for answer in await self._servers.run(_VIEW, items)]

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        item = Item(partition, (self._keys[partition].instance(instance_id),), (first, limit))
        (rows,) = await self._servers.run(_HISTORY, [item])
        return tuple(rows)

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        start = decode_cursor(cursor, tuple[int, str, str])
        low = stamp(after + 1) if start is None else f"{stamp(start[0])}{start[1]}\0{start[2]}"
        high = AFTER_ALL if until >= STAMP_MAX else stamp(until + 1).encode()
        span = Span(low.encode(), high, is_after=start is not None)
        sources = [Source(partition, self._keys[partition].due) for partition in dict.fromkeys(partitions)]
        places = await scan(self._fetch, sources, span, limit=limit + 1)
        whens = [parse_due_member(place.position) for place in places]
        items = [
            Item(partition, (self._keys[partition].reminders(instance_id),), (name,))
            for (_, partition), (_, instance_id, name) in zip(places[:limit], whens, strict=False)
        ]
        rows = await self._servers.run(_REMINDERS, items)
        found = [redis_rows.reminder_row(when, row) for when, row in zip(whens, rows, strict=False)]
        return Due(
            reminders=tuple(reminder for reminder in found if reminder is not None),
            cursor=encode_cursor(whens[limit - 1]) if len(whens) > limit else "",
        )

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        start = decode_cursor(cursor, tuple[int, str])
        if wanted.id_prefix:
            few = await self._few(wanted)
            if few is not None:
                return await self._page(few, start, wanted, limit=limit, payloads=payloads)
        return await self._scan(wanted, start, limit=limit, payloads=payloads)

    async def _scan(self, wanted: Filter, start: tuple[int, str] | None, *, limit: int, payloads: bool) -> Page:
        views, scanned, size = list[View](), 0, limit
        while True:
            span = redis_query.span(wanted, start)
            sources = [
                Source(partition, keys.index, prefix)
                for partition, keys in enumerate(self._keys)
                for prefix in redis_query.prefixes(wanted)
            ]
            places = await scan(self._fetch, sources, span, limit=size + 1)
            known = [(place.partition, *redis_query.place_of(place.position)) for place in places[:size]]
            asked = [(partition, at, id_) for partition, at, id_ in known if id_.startswith(wanted.id_prefix)]
            found = await self.view([(partition, id_) for partition, _, id_ in asked], payloads=payloads)
            for (_, at, id_), view in zip(asked, found, strict=True):
                if view is None or not redis_query.matches(view.record, wanted):
                    continue
                views.append(view)
                if len(views) == limit:
                    is_last = len(places) <= size and (at, id_) == known[-1][1:]
                    return Page(views=tuple(views), cursor="" if is_last else encode_cursor((at, id_)))
            scanned += len(known)
            if len(places) <= size:
                return Page(views=tuple(views))
            start, size = known[-1][1:], min(2 * size, _FEW_IDS)
            if scanned >= _SCANNED_MAX:
                return Page(views=tuple(views), cursor=encode_cursor(start))

    async def _few(self, wanted: Filter) -> Sequence[tuple[int, str]] | None:
        """Partition and id of all instances whose id has the prefix; None when they are many."""
        low = id_prefix(wanted.id_prefix)
        items = [
            Item(number, (keys.index,), (b"[" + low, b"(" + low + AFTER_ALL)) for number, keys in enumerate(self._keys)
        ]
        if sum(await self._servers.run(_COUNT, items)) > _FEW_IDS:
            return None
        sources = [Source(number, keys.index, id_prefix("")) for number, keys in enumerate(self._keys)]
        span = Span(wanted.id_prefix.encode(), wanted.id_prefix.encode() + AFTER_ALL)
        places = await scan(self._fetch, sources, span, limit=2 * _FEW_IDS)
        return [(place.partition, place.position.decode()) for place in places]

    async def _page(
        self,
        instances: Sequence[tuple[int, str]],
        start: tuple[int, str] | None,
        wanted: Filter,
        *,
        limit: int,
        payloads: bool,
    ) -> Page:
        """The page of these few."""
        views = await self.view(instances, payloads=payloads)
        kept = [view for view in views if view is not None and redis_query.matches(view.record, wanted)]
        keyed = sorted(((redis_query.order(view.record, wanted), view) for view in kept), key=lambda pair: pair[0])
        rest = [(place, view) for place, view in keyed if start is None or place > start]
        return Page(
            views=tuple(view for _, view in rest[:limit]),
            cursor=encode_cursor(rest[limit - 1][0]) if len(rest) > limit else "",
        )

    async def _fetch(self, items: Sequence[Item]) -> list[list[bytes]]:
        return await self._servers.run(_SCAN, items)


def _in_words(fields: dict[str, str]) -> str:
    return ", ".join(f"{name} {fields[name]}" for name in sorted(fields))
