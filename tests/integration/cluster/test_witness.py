"""The witness of the store sees what superseded owners try, and would see it if they wrote."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from holdfast_sidecar.compose import existing_store
from holdfast_sidecar.config import load_config
from holdfast_sidecar.stores.contract import Outcome, Store
from tests.conformance import builders
from tests.conformance.harness import PARTITIONS
from tests.integration.cluster.witness import PostgresWitness, RedisWitness, Seen, Witness
from tests.support.postgres import Postgres
from tests.support.procs import wait_until
from tests.support.valkey import Valkey


class Scene:
    """`forget` takes a fence back behind everybody's back, as no store may."""

    def __init__(self, store: Store, witness: Witness, forget: Callable[[int], None]) -> None:
        self.store, self.witness, self.forget = store, witness, forget

    def saw(self, wanted: Seen) -> bool:
        return wait_until(lambda: self.witness.seen() == wanted, f"the witness seeing {wanted}")


@asynccontextmanager
async def _redis(folder: Path) -> AsyncGenerator[Scene]:
    with Valkey() as server:
        witness = RedisWitness(server.url)
        async with _store(folder, server.url) as store:

            def forget(partition: int) -> None:
                [key] = server.call("KEYS", f"*:{partition}}}:fence")
                server.call("SET", key, 1)

            yield Scene(store, witness, forget)
        witness.close()


@asynccontextmanager
async def _postgres(folder: Path) -> AsyncGenerator[Scene]:
    with Postgres() as server:
        async with _store(folder, server.url):
            pass
        witness = PostgresWitness(server.psql)
        async with _store(folder, server.url) as store:

            def forget(partition: int) -> None:
                server.psql(f"UPDATE holdfast.fences SET epoch = 1 WHERE partition = {partition}")

            yield Scene(store, witness, forget)


def _store(folder: Path, url: str) -> AbstractAsyncContextManager[Store]:
    return existing_store(load_config(None, {}, {"data_dir": str(folder), "store": url, "partitions": PARTITIONS}))


@pytest.mark.parametrize("server", [_redis, _postgres])
async def test_attempts_of_superseded_owners_are_seen_and_what_they_write_is_found_out(
    server: Callable[[Path], AbstractAsyncContextManager[Scene]], tmp_path: Path
) -> None:
    async with server(tmp_path) as scene:
        store, partition = scene.store, builders.partition_of("one")
        first = builders.create("one", epoch=3)
        second = builders.follow(first, events=[b"late"], consume=1)
        await store.acquire([partition], 3)
        assert await store.commit([first]) == [Outcome.APPLIED]
        assert scene.saw(Seen(commits=1))
        await store.acquire([partition], 5)
        assert (await store.commit([second, builders.create("two", epoch=9)]))[0] is Outcome.FENCED
        assert scene.saw(Seen(commits=3, tried=1))
        scene.forget(partition)
        assert await store.commit([second]) == [Outcome.APPLIED]
        assert scene.saw(Seen(commits=4, tried=2, wrote=1))
