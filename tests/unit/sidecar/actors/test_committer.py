"""Who is in which write: what goes on comes before what begins, and both come."""

from __future__ import annotations

import asyncio

from holdfast_kit.clock import VirtualClock
from holdfast_sidecar.actors.committer import GROUP_MAX, GROUP_MIN, STARTS_SHARE, Committer
from holdfast_sidecar.actors.gathering import COMPANY_SHARE, GATHER_MAX, URGENT_COMPANY
from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.memory import MemoryStore
from tests.conformance.builders import create, follow


class Desk:
    """Hands in commits, and notes which of them each write took."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.under_way = 0
        self.committer = Committer(self.store, self.clock, under_way=lambda: self.under_way)
        self.landed: list[str] = []

    async def open(self, *, running: int) -> list[Commit]:
        """The first commits of so many instances that run."""
        await self.store.open(namespace="shop", partitions=4)
        await self.store.acquire(range(4), 1)
        commits = [create(f"old-{number}") for number in range(running)]
        assert set(await self.store.commit(commits)) <= {Outcome.APPLIED}
        return commits

    def submit(self, commit: Commit, *, is_urgent: bool = False) -> None:
        def landed(outcome: Outcome | StoreError) -> None:
            assert outcome is Outcome.APPLIED
            self.landed.append(commit.instance_id)

        self.committer.submit(commit, landed, is_urgent=is_urgent)

    async def write(self) -> tuple[int, int]:
        """How many (steps, starts) the next write takes."""
        self.landed.clear()
        await self.committer.run_once()
        starts = sum(instance_id.startswith("new") for instance_id in self.landed)
        return len(self.landed) - starts, starts


async def _writes(*, steps: int, starts: int) -> list[tuple[int, int]]:
    desk, writes = Desk(), list[tuple[int, int]]()
    before = await desk.open(running=steps)
    for number in range(starts):
        desk.submit(create(f"new-{number}"))
    for commit in before:
        desk.submit(follow(commit, events=[b"a"]))
    while desk.committer.depth:
        writes.append(await desk.write())
    return writes


def test_what_fits_goes_out_together() -> None:
    assert asyncio.run(_writes(steps=GROUP_MIN - 10, starts=10)) == [(GROUP_MIN - 10, 10)]


def test_starts_wait_for_what_runs() -> None:
    first, *_ = asyncio.run(_writes(steps=GROUP_MIN, starts=GROUP_MIN))
    assert first == (GROUP_MIN - GROUP_MIN // STARTS_SHARE, GROUP_MIN // STARTS_SHARE)


def test_starts_do_not_wait_for_ever() -> None:
    writes = asyncio.run(_writes(steps=4 * GROUP_MAX, starts=GROUP_MAX))
    assert all(starts >= sum(write) // STARTS_SHARE for write in writes if (starts := write[1]))
    assert min(starts for _, starts in writes[:4]) > 0
    assert [sum(column) for column in zip(*writes, strict=True)] == [4 * GROUP_MAX, GROUP_MAX]


def test_starts_alone_fill_a_write() -> None:
    assert asyncio.run(_writes(steps=0, starts=GROUP_MIN)) == [(0, GROUP_MIN)]


class Waiting(Desk):
    """A committer that runs, with much under way at workers."""

    async def begin(self, *, under_way: int, running: int) -> tuple[list[Commit], asyncio.Task[None]]:
        commits = await self.open(running=running)
        self.under_way = under_way
        return commits, asyncio.create_task(self.committer.run())

    async def settle(self) -> int:
        """Turns of the loop until nothing more happens without time passing; how many have landed."""
        for _ in range(20):
            await asyncio.sleep(0)
        return len(self.landed)

    async def end(self, task: asyncio.Task[None]) -> None:
        self.committer.stop()
        await task


async def test_alone_nobody_waits_for_company() -> None:
    desk = Waiting()
    [commit], task = await desk.begin(under_way=2 * COMPANY_SHARE - 1, running=1)
    desk.submit(follow(commit, events=[b"a"]))
    assert await desk.settle() == 1
    await desk.end(task)


async def test_a_write_waits_until_it_has_company() -> None:
    desk = Waiting()
    commits, task = await desk.begin(under_way=3 * COMPANY_SHARE, running=3)
    for commit, landed in zip(commits, (0, 0, 3), strict=True):
        desk.submit(follow(commit, events=[b"a"]))
        assert await desk.settle() == landed
    assert desk.committer.groups == 1
    await desk.end(task)


async def test_a_write_waits_no_longer_than_a_moment() -> None:
    desk = Waiting()
    commits, task = await desk.begin(under_way=3 * COMPANY_SHARE, running=2)
    for commit in commits:
        desk.submit(follow(commit, events=[b"a"]))
    desk.clock.advance(GATHER_MAX / 2)
    assert await desk.settle() == 0
    desk.clock.advance(GATHER_MAX)
    assert await desk.settle() == 2
    await desk.end(task)


async def test_each_wait_has_its_own_time() -> None:
    desk = Waiting()
    commits, task = await desk.begin(under_way=2 * COMPANY_SHARE, running=3)
    for commit in commits[:2]:
        desk.submit(follow(commit, events=[b"a"]))
        await desk.settle()
    desk.clock.advance(GATHER_MAX / 2)
    desk.submit(follow(commits[2], events=[b"a"]))
    await desk.settle()
    desk.clock.advance(GATHER_MAX / 2)
    assert await desk.settle() == 2
    desk.clock.advance(GATHER_MAX / 2)
    assert await desk.settle() == 3
    await desk.end(task)


async def test_with_what_is_urgent_little_company_is_enough() -> None:
    desk = Waiting()
    some = URGENT_COMPANY
    commits, task = await desk.begin(under_way=9 * COMPANY_SHARE, running=3 * some)
    steps = [follow(commit, events=[b"a"]) for commit in commits]
    for step in steps[: some - 1]:
        desk.submit(step)
        assert await desk.settle() == 0
    desk.submit(steps[some - 1], is_urgent=True)  # comes last
    assert await desk.settle() == some
    desk.submit(steps[some], is_urgent=True)  # comes first
    for step in steps[some + 1 : 2 * some]:
        assert await desk.settle() == some
        desk.submit(step)
    assert await desk.settle() == 2 * some
    for step in steps[2 * some :]:  # none is
        desk.submit(step)
        assert await desk.settle() == 2 * some
    await desk.end(task)


async def test_after_a_vain_wait_the_next_write_goes_at_once() -> None:
    desk = Waiting()
    [commit], task = await desk.begin(under_way=COMPANY_SHARE**2, running=1)
    desk.submit(commit := follow(commit, events=[b"a"]))
    assert await desk.settle() == 0
    desk.clock.advance(GATHER_MAX)
    assert await desk.settle() == 1
    desk.submit(follow(commit, events=[b"b"]))
    assert await desk.settle() == 2
    await desk.end(task)


async def test_who_stops_does_not_wait_for_company() -> None:
    desk = Waiting()
    [commit], task = await desk.begin(under_way=COMPANY_SHARE**2, running=1)
    desk.submit(follow(commit, events=[b"a"]))
    assert await desk.settle() == 0
    await desk.end(task)
    assert desk.landed == ["old-0"]
