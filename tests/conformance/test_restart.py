"""The server behind the store goes away and comes back, with its data kept."""

from __future__ import annotations

import asyncio

from holdfast_sidecar.core.state import Reminder
from holdfast_sidecar.stores.contract import Outcome, StoreError
from tests.conformance.builders import create, follow, place
from tests.conformance.harness import RestartableBackend, opened

PATIENCE = 20  # seconds until a server that came back must have answered


async def test_nothing_answered_is_lost_and_the_client_finds_its_way_back(restartable: RestartableBackend) -> None:
    space = await restartable.space()
    async with opened(space) as store:
        first = create("order-7", reminders_put=[Reminder("order-7", "wake", 0)])
        assert await store.commit([first]) == [Outcome.APPLIED]
        before = await store.load([place("order-7")])
        await restartable.restart_server()
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    assert await store.load([place("order-7")]) == before
                    break
                except StoreError:
                    await asyncio.sleep(0.05)
        assert await store.commit([follow(first, events=[b"a"])]) == [Outcome.APPLIED]
    await space.dispose()


async def test_commits_during_a_restart_are_answered_or_refused_and_never_half_done(
    restartable: RestartableBackend,
) -> None:
    space = await restartable.space()
    async with opened(space) as store:
        answered: list[str] = []

        async def write() -> None:
            for number in range(200):
                instance_id = f"order-{number}"
                try:
                    [outcome] = await store.commit([create(instance_id, messages=[b"1", b"2"])])
                except StoreError:
                    await asyncio.sleep(0.01)
                    continue
                assert outcome is Outcome.APPLIED
                answered.append(instance_id)

        async with asyncio.TaskGroup() as group:
            writing = group.create_task(write())
            await restartable.restart_server()
            await writing
    async with opened(space) as store:
        found = await store.load([place(f"order-{number}") for number in range(200)])
        assert {stored.record.id for stored in found if stored} >= set(answered)
        assert {stored.inbox for stored in found if stored} <= {(b"1", b"2")}
    await space.dispose()
