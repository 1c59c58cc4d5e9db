"""Knows what is due. Reads ahead a little, never reads what is idle, never reads the same twice.

The owner of a partition is its only writer, so what is not in the store's answer for a span of time can only come
through this host: `put` and `forget` keep the span that was read complete.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Sequence

from holdfast_kit.clock import Clock, Handle
from holdfast_sidecar.core.state import Reminder
from holdfast_sidecar.stores.contract import Store, StoreError

_log = logging.getLogger(__name__)

_NANOS = 1_000_000_000
HORIZON = 20 * _NANOS  # how far ahead is read; a reminder set for later costs no memory
PERIOD = 10.0  # seconds between reads: half the horizon, so a read may be late by as much
RETRY = 1.0  # seconds after a read that failed
PAGE = 1_000


class ReminderLoop:
    def __init__(
        self, store: Store, clock: Clock, *, fire: Callable[[Reminder], None], partition_of: Callable[[str], int]
    ) -> None:
        self._store = store
        self._clock = clock
        self._fire = fire
        self._partition_of = partition_of
        self._partitions: set[int] = set()
        self._heap: list[tuple[int, str, str]] = []
        self._known: dict[tuple[str, str], Reminder] = {}
        self._read_until = 0  # everything of our partitions up to then is known here
        self._kept_until = 0  # what commits say up to then is remembered; ahead of _read_until while a read is on
        self._reads = 0  # that are on
        self._changed: set[tuple[str, str]] = set()  # by commits since: an answer on its way may be older than they are
        self._timer: Handle | None = None
        self._timer_at = 0

    def __len__(self) -> int:
        return len(self._known)

    # -- what commits change ---------------------------------------------------------------------------------------

    def put(self, reminder: Reminder) -> None:
        """A commit has stored it. What is due beyond the horizon is read when its time comes near."""
        self.forget(reminder.instance_id, reminder.name)
        if 0 < reminder.due_at <= max(self._kept_until, self._clock.now_ns()):
            self._keep(reminder)
            self._arm()

    def forget(self, instance_id: str, name: str) -> None:
        key = (instance_id, name)
        self._known.pop(key, None)
        if self._reads:
            self._changed.add(key)

    # -- which partitions ------------------------------------------------------------------------------------------

    async def add(self, partitions: Sequence[int]) -> None:
        """Takes over partitions: fires what is due or was in flight, learns what is due soon."""
        known_until, until = -1, self._clock.now_ns() + HORIZON
        while known_until < (until := max(until, self._read_until)):  # the others may be read further meanwhile
            await self._read(partitions, after=known_until, until=until)
            known_until = until
        if not self._partitions:
            self._read_until = known_until
        self._partitions.update(partitions)
        self._arm()

    def remove(self, partitions: Sequence[int]) -> None:
        gone = set(partitions)
        self._partitions -= gone
        for key in [key for key in self._known if self._partition_of(key[0]) in gone]:
            self.forget(*key)

    # -- the loop --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        wait = PERIOD
        while True:
            await self._clock.sleep(wait)
            wait = PERIOD
            try:
                await self.run_once()
            except StoreError as error:
                _log.warning("reminders could not be read", extra={"error": str(error)})
                wait = RETRY

    async def run_once(self) -> None:
        if not self._partitions:
            return
        until = self._clock.now_ns() + HORIZON
        await self._read(tuple(self._partitions), after=self._read_until, until=until)
        self._read_until = max(self._read_until, until)
        self._arm()

    async def _read(self, partitions: Sequence[int], *, after: int, until: int) -> None:
        if not partitions or after >= until:
            return
        self._kept_until = max(self._kept_until, until)
        self._reads += 1
        try:
            await self._read_pages(partitions, after=after, until=until)
        finally:
            self._reads -= 1
            if not self._reads:
                self._changed.clear()

    async def _read_pages(self, partitions: Sequence[int], *, after: int, until: int) -> None:
        cursor = ""
        while True:
            page = await self._store.due(partitions, after=after, until=until, limit=PAGE, cursor=cursor)
            for reminder in page.reminders:
                self._learn(reminder)
            cursor = page.cursor
            if not cursor:
                return
            await asyncio.sleep(0)

    def _learn(self, reminder: Reminder) -> None:
        if (reminder.instance_id, reminder.name) in self._changed:
            return
        if reminder.due_at <= self._clock.now_ns():
            self._fire(reminder)
        else:
            self._keep(reminder)

    def _keep(self, reminder: Reminder) -> None:
        key = (reminder.instance_id, reminder.name)
        self._known[key] = reminder
        heapq.heappush(self._heap, (reminder.due_at, *key))

    def _arm(self) -> None:
        heap = self._heap
        while heap and not self._is_live(heap[0]):
            heapq.heappop(heap)
        if not heap:
            return
        due_at = heap[0][0]
        if self._timer is not None:
            if self._timer_at <= due_at:
                return
            self._timer.cancel()
        self._timer_at = due_at
        self._timer = self._clock.call_later(max(0, due_at - self._clock.now_ns()) / _NANOS, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._clock.now_ns()
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if self._is_live(entry):
                reminder = self._known.pop((entry[1], entry[2]))
                self._fire(reminder)
        self._arm()

    def _is_live(self, entry: tuple[int, str, str]) -> bool:
        reminder = self._known.get((entry[1], entry[2]))
        return reminder is not None and reminder.due_at == entry[0]
