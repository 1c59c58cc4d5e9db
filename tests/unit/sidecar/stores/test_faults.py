"""Faults do what they say to the data, and to the one who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from holdfast_kit.clock import VirtualClock
from holdfast_sidecar.core.state import Commit, Filter
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull
from holdfast_sidecar.stores.faults import (
    Chances,
    CutAfter,
    FailBefore,
    Fault,
    FaultyStore,
    FencedBy,
    Happening,
    LoseAnswer,
    Script,
    Slow,
)
from holdfast_sidecar.stores.memory import MemoryStore
from tests.conformance.builders import create, place

BATCH: list[Commit] = [create(name) for name in ("a", "b", "c")]


def _store(*faults: Fault | None, verb: str = "commit") -> FaultyStore:
    return FaultyStore(MemoryStore(), plan=Script({verb: faults}), clock=VirtualClock())


def _written(store: FaultyStore) -> list[str]:
    assert isinstance(store.inner, MemoryStore)
    return sorted(store.inner.memory.cells)


async def test_without_a_fault_it_is_the_store_inside() -> None:
    store = _store()
    await store.open(namespace="shop", partitions=16)
    assert await store.commit(BATCH) == [Outcome.APPLIED] * 3
    assert len((await store.query(Filter(), limit=9)).views) == 3
    assert (await store.due([0], after=-1, until=9, limit=9)).reminders == ()
    assert list(await store.history(*place("a"))) == []
    assert None not in await store.view([place("a")], payloads=True)
    await store.close()
    assert store.happened == []


@pytest.mark.parametrize(
    ("fault", "error", "written"),
    [
        (FailBefore(), StoreError, []),
        (FailBefore(is_full=True), StoreFull, []),
        (LoseAnswer(), StoreError, ["a", "b", "c"]),
        (CutAfter(2), StoreError, ["a", "b"]),
        (CutAfter(0), StoreError, []),
    ],
)
async def test_a_commit_that_is_struck_raises_and_writes_as_much_as_the_fault_says(
    fault: Fault, error: type[StoreError], written: list[str]
) -> None:
    store = _store(None, fault)
    await store.commit([])
    with pytest.raises(error):
        await store.commit(BATCH)
    assert _written(store) == written
    assert store.happened == [Happening("commit", fault, ("a", "b", "c"))]
    assert await store.commit([create("d")]) == [Outcome.APPLIED]


async def test_fenced_by_another_writes_nothing_and_stays_so() -> None:
    store = _store(FencedBy(margin=3))
    assert await store.commit(BATCH) == [Outcome.FENCED] * 3
    assert await store.commit(BATCH) == [Outcome.FENCED] * 3
    assert await store.commit([create("a", epoch=4)]) == [Outcome.APPLIED]


async def test_a_cut_acquire_holds_a_part() -> None:
    store = _store(CutAfter(1), verb="acquire")
    with pytest.raises(StoreError):
        await store.acquire([1, 2], 5)
    assert list(await store.acquire([1, 2], 4)) == [2]


@pytest.mark.parametrize(("fault", "written_at"), [(Slow(before=2.0), 2.0), (Slow(after=2.0), 0.0)])
async def test_slowness_passes_on_the_clock_that_was_handed_in(fault: Slow, written_at: float) -> None:
    clock = VirtualClock()
    store = FaultyStore(MemoryStore(), plan=Script({"commit": [fault]}), clock=clock)
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(store.commit(BATCH))
        seen: list[float] = []
        while not answer.done():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen += [clock.monotonic()] if _written(store) else []
            clock.advance_to_next()
    assert seen[0] == written_at
    assert clock.monotonic() == 2.0


@pytest.mark.parametrize("verb", ["load", "view", "due", "query", "history", "acquire"])
async def test_every_verb_can_fail(verb: str) -> None:
    store = _store(FailBefore(), verb=verb)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "load": lambda: store.load([place("a")]),
        "view": lambda: store.view([place("a")], payloads=False),
        "due": lambda: store.due([1], after=-1, until=1, limit=1),
        "query": lambda: store.query(Filter(), limit=1),
        "history": lambda: store.history(*place("a")),
        "acquire": lambda: store.acquire([1], 1),
    }
    with pytest.raises(StoreError, match=verb):
        await calls[verb]()
    await calls[verb]()


async def test_a_fault_that_cannot_strike_a_verb_is_a_mistake_in_the_plan() -> None:
    with pytest.raises(ValueError, match="load"):
        await _store(FencedBy(), verb="load").load([place("a")])


async def _drawn(seed: int) -> list[Happening]:
    rng = Random(seed)
    plan = Chances(rng=rng, fail=0.1, full=0.1, lose=0.1, slow=0.1, cut=0.1, fence=0.1)
    store = FaultyStore(MemoryStore(), plan=plan, clock=_Hasty())
    for number in range(400):
        batch = [create(f"{number}-{twin}", epoch=number) for twin in range(3)]
        try:
            outcomes = await store.commit(batch)
            assert set(outcomes) <= {Outcome.APPLIED, Outcome.FENCED}
            await store.load([place("a")])
        except StoreError:
            assert store.happened
    return store.happened


class _Hasty(VirtualClock):
    """Nobody else waits here, so sleeping only moves the time."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


async def test_the_same_seed_draws_the_same_faults_and_in_time_all_of_them() -> None:
    first = await _drawn(7)
    assert first == await _drawn(7)
    assert first != await _drawn(8)
    assert {type(event.fault) for event in first} == {FailBefore, LoseAnswer, Slow, CutAfter, FencedBy}
    reads = {type(event.fault) for event in first if event.verb == "load"}
    assert reads == {FailBefore, Slow}
