"""A store that counts: how long its writes and loads take, and how often it fails. Everything else passes through."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_kit.clock import Clock
from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores.contract import Due, Outcome, Store, StoreError
from holdfast_sidecar.telemetry.histogram import Histogram


class MeasuredStore:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.commit_seconds = Histogram()
        self.load_seconds = Histogram()
        self.failures = 0

    async def open(self, *, namespace: str, partitions: int) -> None:
        await self._store.open(namespace=namespace, partitions=partitions)

    async def close(self) -> None:
        await self._store.close()

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        return await self._store.acquire(partitions, epoch)

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        began = self._clock.monotonic()
        try:
            return await self._store.commit(commits)
        except StoreError:
            self.failures += 1
            raise
        finally:
            self.commit_seconds.add(self._clock.monotonic() - began)

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        began = self._clock.monotonic()
        try:
            return await self._store.load(instances)
        except StoreError:
            self.failures += 1
            raise
        finally:
            self.load_seconds.add(self._clock.monotonic() - began)

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        return await self._store.view(instances, payloads=payloads)

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        return await self._store.history(partition, instance_id, first=first, limit=limit)

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        return await self._store.due(partitions, after=after, until=until, limit=limit, cursor=cursor)

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        return await self._store.query(wanted, limit=limit, cursor=cursor, payloads=payloads)
