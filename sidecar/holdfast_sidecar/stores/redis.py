"""The store in Redis or Valkey: a hash per actor, one script per batch of commits, ordered sets to find things."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final

from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores import redis_rows
from holdfast_sidecar.stores.contract import Due, Outcome, StoreError, StoreMismatch
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.redis_cluster import Cluster
from holdfast_sidecar.stores.redis_keys import (
    AFTER_ALL,
    LAYOUT,
    PartitionKeys,
    layout_key,
    parse_due_member,
    partition_keys,
)
from holdfast_sidecar.stores.redis_link import Item, script
from holdfast_sidecar.stores.redis_scan import Source, Span
from holdfast_sidecar.stores.redis_search import Search
from holdfast_sidecar.stores.redis_servers import OneServer, Servers, node_at, sentinel_master
from holdfast_sidecar.stores.stamps import STAMP_MAX, stamp
from holdfast_sidecar.stores.text import findable
from holdfast_sidecar.stores.urls import RedisMode, RedisUrl

logger = logging.getLogger(__name__)

_CLAIM: Final = script("claim", items_max=1, is_write=True)
_ACQUIRE: Final = script("acquire", items_max=1024, is_write=True)
_COMMIT: Final = script("commit", items_max=64, is_write=True)
_LOAD: Final = script("load", items_max=16)
_LOAD_SURELY: Final = script("load", items_max=16, is_write=True)
_VIEW: Final = script("view", items_max=256)
_HISTORY: Final = script("history", items_max=1)
_REMINDERS: Final = script("reminders", items_max=1024)


def servers_of(url: RedisUrl) -> Servers:
    match url.mode:
        case RedisMode.STANDALONE:
            return OneServer(node_at(url, url.addresses[0]), waits_for_replicas=url.wait_replicas > 0)
        case RedisMode.SENTINEL:
            return sentinel_master(url)
        case RedisMode.CLUSTER:
            return Cluster(
                url.addresses,
                lambda address: node_at(url, address),
                waits_for_replicas=url.wait_replicas > 0,
            )


class RedisStore:
    """`prefix` starts all keys; see `servers_of` for what a URL says."""

    def __init__(self, servers: Servers, *, prefix: str) -> None:
        self._servers = servers
        self._prefix = prefix
        self._keys = tuple[PartitionKeys, ...]()
        self._search = Search((), run=servers.run, view=self.view)

    async def open(self, *, namespace: str, partitions: int) -> None:
        if set("{}") & set(namespace):
            raise ValueError(
                f"namespace {namespace!r}: expected no braces, which mark where Redis keys belong together"
            )
        await self._servers.open()
        await self._claim({"layout": str(LAYOUT), "namespace": namespace, "partitions": str(partitions)})
        self._keys = tuple(partition_keys(self._prefix, namespace, number) for number in range(partitions))
        self._search = Search(self._keys, run=self._servers.run, view=self.view)
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
            found = await node.call([("INFO", "persistence"), ("INFO", "replication")])
            persistence, replication = (info if isinstance(info, bytes) else b"" for info in found)
            if b"aof_enabled:1" not in persistence:
                logger.warning(
                    "the redis server keeps no append-only file, or does not say so; what it loses is lost",
                    extra={"server": node.name, "expected": "appendonly yes"},
                )
            if not self._servers.waits_for_replicas and re.search(rb"connected_slaves:[1-9]", replication):
                logger.warning(
                    "the redis server has replicas that no write waits for; a failover may undo acknowledged commits, "
                    "and fences with them",
                    extra={"server": node.name, "expected": "?wait_replicas=1 or more in the store URL"},
                )

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        items = [Item(partition, (self._keys[partition].fence,), (epoch,)) for partition in partitions]
        held = await self._servers.run(_ACQUIRE, items)
        return [partition for partition, is_held in zip(partitions, held, strict=True) if is_held]

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        items, wrong = list[Item](), list[str]()
        for commit in commits:
            try:
                items.append(self._item(commit))
            except ValueError as error:
                wrong.append(f"instance {commit.instance_id!r}: {error}")
        found: list[int] = await self._servers.run(_COMMIT, items)
        if wrong:
            raise StoreError(f"redis: what cannot be stored was left out: {'; '.join(wrong)}")
        return [redis_rows.OUTCOMES[number] for number in found]

    def _item(self, commit: Commit) -> Item:
        keys = redis_rows.commit_keys(self._keys[commit.partition], commit.instance_id)
        return Item(commit.partition, keys, redis_rows.commit_args(commit), redis_rows.weight(commit))

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        """Where writes wait for replicas, so does this: a commit without an answer is looked for here, and what is
        found counts as done."""
        items, is_sure = list[Item](), self._servers.waits_for_replicas
        for partition, asked in instances:
            keys, instance_id = self._keys[partition], findable(asked)
            parts = (keys.instance(instance_id), keys.activities(instance_id), keys.reminders(instance_id), keys.fence)
            items.append(Item(partition, parts, (int(is_sure),)))
        found = await self._servers.run(_LOAD_SURELY if is_sure else _LOAD, items)
        ids = [instance_id for _, instance_id in instances]
        return [redis_rows.stored(answer, id_) for answer, id_ in zip(found, ids, strict=True)]

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        items = [
            Item(partition, (self._keys[partition].instance(findable(instance_id)),), (int(payloads),))
            for partition, instance_id in instances
        ]
        return [redis_rows.view(answer) for answer in await self._servers.run(_VIEW, items)]

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        item = Item(partition, (self._keys[partition].instance(findable(instance_id)),), (first, limit))
        (rows,) = await self._servers.run(_HISTORY, [item])
        return tuple(rows)

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        start = decode_cursor(cursor, tuple[int, str, str])
        low = stamp(after + 1) if start is None else f"{stamp(start[0])}{start[1]}\0{start[2]}"
        high = AFTER_ALL if until >= STAMP_MAX else stamp(until + 1).encode()
        span = Span(low.encode(), high, is_after=start is not None)
        sources = [Source(partition, self._keys[partition].due) for partition in dict.fromkeys(partitions)]
        places = await self._search.scan(sources, span, limit=limit + 1)
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
        return await self._search.page(wanted, limit=limit, cursor=cursor, payloads=payloads)


def _in_words(fields: dict[str, str]) -> str:
    return ", ".join(f"{name} {fields[name]}" for name in sorted(fields))
