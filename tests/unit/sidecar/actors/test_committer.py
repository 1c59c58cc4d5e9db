"""Who is in which write: what goes on comes before what begins, and both come."""

from __future__ import annotations

import asyncio

from holdfast_sidecar.actors.committer import GROUP_MAX, GROUP_MIN, STARTS_SHARE, Committer
from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.memory import MemoryStore
from tests.conformance.builders import create, follow


class Desk:
    """Hands in commits, and notes which of them each write took."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.committer = Committer(self.store)
        self.landed: list[str] = []

    async def open(self, *, running: int) -> list[Commit]:
        """The first commits of so many instances that run."""
        await self.store.open(namespace="shop", partitions=4)
        await self.store.acquire(range(4), 1)
        commits = [create(f"old-{number}") for number in range(running)]
        assert set(await self.store.commit(commits)) <= {Outcome.APPLIED}
        return commits

    def submit(self, commit: Commit) -> None:
        def landed(outcome: Outcome | StoreError) -> None:
            assert outcome is Outcome.APPLIED
            self.landed.append(commit.instance_id)

        self.committer.submit(commit, landed)

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
