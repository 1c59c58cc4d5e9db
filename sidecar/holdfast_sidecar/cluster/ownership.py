"""Makes this host own what the table says: releases what went, fences and serves what came.

One task does it, table by table; a newer table replaces one that waits. The store may be away: then it is tried again
until the table is another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from holdfast_placement.table import Table
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.stores.contract import StoreError

_log = logging.getLogger(__name__)

RETRY_AFTER = 0.5  # seconds between tries while the store is away


class Fenced(Protocol):
    """Tells placement that it must go above the store's fence."""

    def __call__(self, partition: int, *, epoch: int, fence: int) -> None: ...


class Ownership:
    def __init__(
        self,
        host: Host,
        *,
        host_id: str,
        use: Callable[[Table], None],
        disown: Callable[[], None],
        fenced: Fenced,
        acquired: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> None:
        self._host = host
        self._host_id = host_id
        self._use = use  # the router looks at the new table
        self._disown = disown  # the router forgets what belonged to partitions that went
        self._acquired = acquired  # nobody else writes to these partitions from here on
        self._fenced = fenced  # placement must go above the store's fence
        self._wanted: Table | None = None
        self._changed = asyncio.Event()
        self._epochs: dict[int, int] = {}
        self.applied_version = 0
        self.applied = asyncio.Event()  # set after each table that is in force here

    def want(self, table: Table) -> None:
        self._wanted = table
        self._changed.set()

    def lost(self, partition: int) -> None:
        """The store fenced us off before placement told: wait for its word."""
        self._epochs.pop(partition, None)

    @property
    def owned(self) -> int:
        return len(self._epochs)

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            table = self._wanted
            if table is None:
                continue
            try:
                await self._apply(table)
            except StoreError as error:
                _log.warning("partitions could not be acquired, trying again", extra={"error": str(error)})
                await self._host.clock.sleep(RETRY_AFTER)
                self._changed.set()

    async def _apply(self, table: Table) -> None:
        mine = table.owned(self._host_id)
        gone = [partition for partition, epoch in self._epochs.items() if mine.get(partition) != epoch]
        self._release(gone)
        self._use(table)
        coming: defaultdict[int, list[int]] = defaultdict(list)
        for partition, epoch in mine.items():
            if partition not in self._epochs:
                coming[epoch].append(partition)
        for epoch, partitions in sorted(coming.items()):
            await self._acquire(partitions, epoch)
        if gone or coming:
            _log.info(
                "partitions moved",
                extra={"table_version": table.version, "released": len(gone), "owned": len(self._epochs)},
            )
        self.applied_version = table.version
        self.applied.set()

    def _release(self, partitions: list[int]) -> None:
        if not partitions:
            return
        for partition in partitions:
            self._epochs.pop(partition, None)
        self._host.release(partitions)
        self._disown()

    async def _acquire(self, partitions: list[int], epoch: int) -> None:
        # What may be written must be known before it can be: a commit of a partition just acquired finds it here.
        held = await self._host.acquire(partitions, epoch)
        owned = self._host.owned  # a higher epoch may have come while we were at it
        self._epochs.update({partition: epoch for partition in held if partition in owned})
        self._acquired(held)
        refused = set(partitions) - set(held)
        if refused:
            # The store's fence is not told, only that it is higher: go well above, the next try says if it was enough.
            above = max(epoch * 2, self._host.clock.now_ns() // 1_000_000)
            _log.warning(
                "the store holds higher fences than placement gives",
                extra={"partitions": len(refused), "epoch": epoch, "asked_above": above},
            )
            self._fenced(min(refused), epoch=epoch, fence=above)
