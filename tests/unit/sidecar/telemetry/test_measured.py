"""The store that counts: what comes through it, and what it knows afterwards."""

from collections.abc import Sequence

import pytest

from holdfast_kit.clock import VirtualClock
from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Commit, Record
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.memory import MemoryStore
from holdfast_sidecar.telemetry.measured import MeasuredStore


class SlowStore(MemoryStore):
    """Takes 20 ms of virtual time for a write, and fails when told to."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self.fails = False

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        self.clock.advance(0.02)
        if self.fails:
            raise StoreError("no")
        return await super().commit(commits)


def a_commit() -> Commit:
    record = Record(id="i", name="n", status=Status.PENDING, created_at=1, updated_at=1, execution_id="e", version=1)
    return Commit(partition=0, epoch=1, instance_id="i", expected_version=0, record=record)


async def test_a_write_is_timed_and_passed_on() -> None:
    clock = VirtualClock()
    store = MeasuredStore(SlowStore(clock), clock)
    await store.open(namespace="n", partitions=1)
    assert list(await store.acquire([0], 1)) == [0]
    assert list(await store.commit([a_commit()])) == [Outcome.APPLIED]
    assert store.commit_seconds.sum == pytest.approx(0.02)
    (view,) = await store.view([(0, "i")], payloads=False)
    assert view is not None
    (stored,) = await store.load([(0, "i")])
    assert stored is not None
    assert sum(store.load_seconds.counts) == 1


async def test_a_failure_is_counted_timed_and_told() -> None:
    clock = VirtualClock()
    slow = SlowStore(clock)
    store = MeasuredStore(slow, clock)
    slow.fails = True
    with pytest.raises(StoreError):
        await store.commit([a_commit()])
    assert (store.failures, sum(store.commit_seconds.counts)) == (1, 1)
