"""A process that is killed between two instructions has lost nothing that it was told is durable."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from holdfast_sidecar.stores.sqlite import SqliteStore
from tests.conformance.builders import place

_WRITER = """
import asyncio, sys
from pathlib import Path
from holdfast_sidecar.core.state import Reminder
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.sqlite import SqliteStore
from tests.conformance.builders import create

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open(namespace="shop", partitions=16)
    for number in range(10**9):
        ids = [f"order-{number}-{twin}" for twin in range(3)]
        batch = [create(i, messages=[b"1", b"2" * 3000], reminders_put=[Reminder(i, "wake", 0)]) for i in ids]
        assert await store.commit(batch) == [Outcome.APPLIED] * 3
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("answered", [1, 7, 150])
async def test_what_was_answered_is_there_after_a_kill(tmp_path: Path, answered: int) -> None:
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WRITER, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(answered):
        assert await writer.stdout.readline()
    writer.kill()
    rest, _ = await writer.communicate()
    last = [answered - 1, *map(int, rest.split())][-1]
    store = SqliteStore(tmp_path)
    await store.open(namespace="shop", partitions=16)
    found = await store.load([place(f"order-{number}-{twin}") for number in range(last + 2) for twin in range(3)])
    assert None not in found[: 3 * (last + 1)]
    whole = [stored for stored in found if stored is not None]
    assert len(whole) in (3 * (last + 1), 3 * (last + 2))  # a batch is one transaction
    assert {(stored.inbox, stored.reminders[0].name) for stored in whole} == {((b"1", b"2" * 3000), "wake")}
    await store.close()
