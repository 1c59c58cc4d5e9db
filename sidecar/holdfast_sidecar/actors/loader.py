"""Reads instances from the store, many with one question: recovery asks for thousands at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from holdfast_sidecar.core.state import Stored, View
from holdfast_sidecar.stores.contract import Store, StoreError

_log = logging.getLogger(__name__)

T = TypeVar("T")
Place: TypeAlias = tuple[int, str]  # partition, instance id
Loaded: TypeAlias = Callable[[Stored | StoreError | None], None]
Looked: TypeAlias = Callable[[View | StoreError | None], None]

BATCH_MAX = 64  # histories may be long; between batches the loop breathes


class Loader:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._loads: deque[tuple[Place, Loaded]] = deque()
        self._looks: deque[tuple[Place, Looked]] = deque()
        self._wake = asyncio.Event()

    def load(self, partition: int, instance_id: str, loaded: Loaded) -> None:
        """All of it."""
        self._loads.append(((partition, instance_id), loaded))
        self._wake.set()

    def look(self, partition: int, instance_id: str, looked: Looked) -> None:
        """Only its record."""
        self._looks.append(((partition, instance_id), looked))
        self._wake.set()

    async def run(self) -> None:
        while True:
            if not (self._loads or self._looks):
                self._wake.clear()
                await self._wake.wait()
            await self.run_once()

    async def run_once(self) -> None:
        if self._loads:
            await _read(self._loads, self._store.load)
        if self._looks:
            await _read(self._looks, self._view)

    async def _view(self, places: Sequence[Place]) -> Sequence[View | None]:
        return await self._store.view(places, payloads=False)


async def _read(
    queue: deque[tuple[Place, Callable[[T | StoreError | None], None]]],
    question: Callable[[Sequence[Place]], Awaitable[Sequence[T | None]]],
) -> None:
    batch = [queue.popleft() for _ in range(min(len(queue), BATCH_MAX))]
    results: Sequence[T | StoreError | None]
    try:
        results = await question([place for place, _ in batch])
    except StoreError as error:
        _log.warning("the store did not read a batch", extra={"error": str(error), "instances": len(batch)})
        results = [error] * len(batch)
    for (_, tell), result in zip(batch, results, strict=True):
        tell(result)
