"""Loads instances, many with one question: recovery asks for thousands at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from holdfast_sidecar.core.state import Stored
from holdfast_sidecar.stores.contract import Store, StoreError

_log = logging.getLogger(__name__)

Loaded = Callable[[Stored | StoreError | None], None]
BATCH_MAX = 64  # histories may be long; between batches the loop breathes


class Loader:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: deque[tuple[tuple[int, str], Loaded]] = deque()
        self._wake = asyncio.Event()

    def load(self, partition: int, instance_id: str, loaded: Loaded) -> None:
        self._queue.append(((partition, instance_id), loaded))
        self._wake.set()

    async def run(self) -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            await self.run_once()

    async def run_once(self) -> None:
        queue = self._queue
        batch = [queue.popleft() for _ in range(min(len(queue), BATCH_MAX))]
        results: Sequence[Stored | StoreError | None]
        try:
            results = await self._store.load([place for place, _ in batch])
        except StoreError as error:
            _log.warning("the store did not load a batch", extra={"error": str(error), "instances": len(batch)})
            results = [error] * len(batch)
        for (_, loaded), result in zip(batch, results, strict=True):
            loaded(result)
