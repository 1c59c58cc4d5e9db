"""A master that dies under sentinels: writes go on, and what was replicated is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from holdfast_sidecar.core.state import Commit
from holdfast_sidecar.stores.contract import Outcome, StoreError
from holdfast_sidecar.stores.redis import RedisStore
from tests.conformance.builders import create, follow, place
from tests.conformance.redis import redis_store
from tests.support.valkey import ValkeySentinel

PATIENCE = 20  # seconds; a failover takes about two


@pytest.fixture
def servers() -> Iterator[ValkeySentinel]:
    with ValkeySentinel() as started:
        yield started


async def _open(servers: ValkeySentinel, options: str = "") -> RedisStore:
    hosts = ",".join(f"{host}:{port}" for host, port in servers.sentinels)
    store = redis_store(f"redis+sentinel://{hosts}/{servers.master_name}/0{options}")
    await store.open(namespace="shop", partitions=16)
    return store


async def _write_until_it_works(store: RedisStore, commit: Commit) -> Outcome:
    """As the engine does: after an error it asks what is there before it writes again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                (outcome,) = await store.commit([commit])
                return outcome
            except StoreError:
                await asyncio.sleep(0.05)


async def test_writes_go_on_after_the_master_was_killed_and_nothing_replicated_is_lost(
    servers: ValkeySentinel, caplog: pytest.LogCaptureFixture
) -> None:
    careful = await _open(servers, "?wait_replicas=1&timeout=2s")
    assert "replicas" not in caplog.text
    plain = await _open(servers, "?timeout=2s")
    assert "has replicas that no write waits for" in caplog.text
    assert await careful.acquire(range(16), 3) == list(range(16))
    written = [create(f"order-{number}", epoch=3) for number in range(200)]
    assert await careful.commit(written) == [Outcome.APPLIED] * 200

    servers.master.kill()
    outcome = await _write_until_it_works(plain, follow(written[0], events=[b"a"]))

    assert outcome in (Outcome.APPLIED, Outcome.CONFLICT)
    found = await plain.load([place(commit.instance_id) for commit in written])
    assert [stored and stored.record.version for stored in found] == [2] + [1] * 199
    assert await plain.commit([follow(written[1], epoch=2)]) == [Outcome.FENCED]
    with pytest.raises(StoreError, match="expected 1 replicas"):
        await careful.commit([follow(written[2], events=[b"alone"])])

    servers.master.start()  # comes back as a replica
    assert await _write_until_it_works(careful, follow(written[3], events=[b"b"])) is not Outcome.FENCED
    await careful.close()
    await plain.close()
