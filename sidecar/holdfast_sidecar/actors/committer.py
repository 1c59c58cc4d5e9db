"""Group commit: what arrives while one write is in flight goes out together in the next.

When more arrives than can be written, what goes on comes before what begins: else all instances share the disk, none
ends, and the backlog is made of work half done. Starts wait for their answer then, which slows down whoever sends them.

When much is under way at workers and answers come one by one, a write waits a moment for company (`gathering.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from holdfast_kit.clock import Clock
from holdfast_sidecar.actors.gathering import GATHER_MAX, URGENT_COMPANY, Gathering
from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, Store, StoreError

_log = logging.getLogger(__name__)

Landed = Callable[[Outcome | StoreError], None]
_Waiting = tuple[Commit, Landed]

GROUP_MAX = 512  # longer groups only make the first ones wait: a write costs by its rows, not by its commits
GROUP_MIN = 32  # what is always written together
GROUP_SHARE = 4  # of a longer queue only this part goes out at once: with all of it in one group, all instances become
# one cohort, and sidecar and app take turns instead of working side by side (measured: +40 % at 64 in flight)
TURNS_BETWEEN = 2  # of the loop until the next write: one for those whom the last one woke, one for what they say to
# leave. A store that answers at once keeps the loop busy, and the app would wait for both (measured: +25 % at 64)
STARTS_SHARE = 8  # of a group at least this part is for starts that wait: those that run may never end


class Committer:
    """One group in flight at a time. `landed` runs in the loop, once per commit. `under_way` tells how much workers
    hold whose answers will bring more commits."""

    def __init__(self, store: Store, clock: Clock, *, under_way: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._under_way = under_way
        self._gathering = Gathering()
        self._is_urgent = False
        self._wanted = 0  # commits for which a write waits
        self._gathered = asyncio.Event()
        self._queue: deque[_Waiting] = deque()
        self._starts: deque[_Waiting] = deque()  # of instances that do not exist yet
        self._wake = asyncio.Event()
        self._stopping = False
        self.commits = 0
        self.groups = 0

    @property
    def depth(self) -> int:
        return len(self._queue) + len(self._starts)

    def submit(self, commit: Commit, landed: Landed, *, is_urgent: bool = False) -> None:
        """Between commits of different instances there is no order; of one instance only one is ever here. A group with
        one that is urgent waits for little company."""
        (self._queue if commit.expected_version else self._starts).append((commit, landed))
        self._wake.set()
        if is_urgent:
            self._is_urgent = True
            self._wanted = min(self._wanted, URGENT_COMPANY)
        if self.depth >= self._wanted:
            self._gathered.set()

    def stop(self) -> None:
        """Writes what is queued, then `run` returns."""
        self._stopping = True
        self._wake.set()
        self._gathered.set()

    async def run(self) -> None:
        while True:
            if not self.depth:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._gather()
            await self.run_once()
            if self.depth:
                for _ in range(TURNS_BETWEEN):
                    await asyncio.sleep(0)

    async def _gather(self) -> None:
        """Waits for company, if that is worth it."""
        if self._stopping:
            return
        depth = self.depth
        wanted = self._gathering.wanted(depth, under_way=self._under_way())
        if self._is_urgent:
            wanted = min(wanted, URGENT_COMPANY)
        if depth >= wanted:
            return
        self._wanted = wanted
        self._gathered.clear()
        timer = self._clock.call_later(GATHER_MAX, self._gathered.set)
        try:
            await self._gathered.wait()
        finally:
            timer.cancel()
        self._gathering.ended(came=self.depth - depth)

    async def run_once(self) -> None:
        """Writes one group and tells everybody in it what became of his commit."""
        self._is_urgent = False
        group = self._next_group()
        self.commits += len(group)
        self.groups += 1
        results: Sequence[Outcome | StoreError]
        try:
            results = await self._store.commit([commit for commit, _ in group])
        except StoreError as error:
            _log.warning(
                "the store did not take a group of commits", extra={"error": str(error), "commits": len(group)}
            )
            results = [error] * len(group)
        for (_, landed), result in zip(group, results, strict=True):
            landed(result)

    def _next_group(self) -> list[_Waiting]:
        queue, starts, depth = self._queue, self._starts, self.depth
        size = min(depth, GROUP_MAX, max(GROUP_MIN, depth // GROUP_SHARE))
        beginning = min(len(starts), max(size - len(queue), size // STARTS_SHARE))
        group = [queue.popleft() for _ in range(min(len(queue), size - beginning))]
        group += [starts.popleft() for _ in range(beginning)]
        return group
