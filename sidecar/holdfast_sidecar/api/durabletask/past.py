"""The past of instances as it stands in turns for workers: what was put together once is only added to.

A worker that keeps nothing is sent the whole past in every turn. Looking at each row again for that would make turns
dearer as histories grow, so `Pasts` keeps the encoded past and a turn costs one copy of its bytes. A worker that keeps
what it replayed is sent only what came since, which `Holdings` knows.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from holdfast_proto.codec import Kind
from holdfast_sidecar.actors.ports import TurnTask
from holdfast_sidecar.api.durabletask import frames

KEPT_BYTES_MAX: Final = 32 * 1024 * 1024  # of all pasts together; the one used last is kept however long it is
KEPT_ROWS_MIN: Final = 8  # shorter ones are put together as fast as they are looked up, and idle instances have few
HELD_MAX: Final = 50_000  # instances of one worker whose cached length is remembered

Run = tuple[str, int]  # execution id and generation: within one, history only grows


class _Past:
    """Encoded are the first `rows` rows of history, of which `last` is the last."""

    __slots__ = ("data", "last", "rows", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.data = bytearray()
        self.rows = 0
        self.last = b""

    def begins(self, task: TurnTask) -> bool:
        """Whether the task's past goes on from here. The last row, which bears its time, speaks for all before it."""
        if self.run != _run(task) or self.rows > task.past_count:
            return False
        return not self.rows or task.history[self.rows - 1] == self.last

    def grow(self, task: TurnTask, kinds: frozenset[Kind]) -> None:
        if self.rows < task.past_count:
            self.data += frames.past_events(frames.rows_of_kinds(task.history[self.rows : task.past_count], kinds))
            self.rows = task.past_count
            self.last = task.history[self.rows - 1]


class Pasts:
    """Encoded pasts by instance and by the kinds that are in them, the longest unused forgotten first."""

    def __init__(self, *, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._kept: OrderedDict[tuple[str, frozenset[Kind]], _Past] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, task: TurnTask, kinds: frozenset[Kind]) -> bytearray:
        """All past events of these kinds. To be used at once: the same bytes grow when the next turn asks."""
        key = (task.instance_id, kinds)
        past = self._kept.pop(key, None)
        if past is not None:
            self._bytes -= len(past.data)
        if past is None or not past.begins(task):
            past = _Past(_run(task))
        past.grow(task, kinds)
        if task.past_count >= KEPT_ROWS_MIN:
            self._keep(key, past)
        return past.data

    def forget(self, instance_id: str, kinds: frozenset[Kind]) -> None:
        past = self._kept.pop((instance_id, kinds), None)
        if past is not None:
            self._bytes -= len(past.data)

    def _keep(self, key: tuple[str, frozenset[Kind]], past: _Past) -> None:
        self._kept[key] = past
        self._bytes += len(past.data)
        while self._bytes > self._bytes_max and len(self._kept) > 1:
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= len(forgotten.data)


class _Held(NamedTuple):
    run: Run
    rows: int
    events: int  # those of the rows that are in work items


class Holdings:
    """What one worker keeps of the pasts that it was sent on its stream: as much as the last turn of each had."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def since(self, task: TurnTask, kinds: frozenset[Kind]) -> tuple[bytes, int]:
        """The events that the worker lacks, and how many it holds; 0 means that these are all."""
        run = _run(task)
        held = self._held.pop(task.instance_id, None)
        if held is None or held.run != run or held.rows > task.past_count:
            held = _Held(run, 0, 0)
        rows = frames.rows_of_kinds(task.history[held.rows : task.past_count], kinds)
        self._held[task.instance_id] = _Held(run, task.past_count, held.events + len(rows))
        if len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        return frames.past_events(rows), held.events

    def forget(self, instance_id: str) -> None:
        self._held.pop(instance_id, None)


def _run(task: TurnTask) -> Run:
    return task.execution_id, task.generation
