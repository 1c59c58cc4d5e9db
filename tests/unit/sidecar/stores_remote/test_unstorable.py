"""Values that a server cannot hold: only what has them suffers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from holdfast_sidecar.core.state import ActivityRow, Commit, Filter, Reminder
from holdfast_sidecar.stores.contract import Outcome, Store, StoreError
from tests.conformance.builders import create, follow, place
from tests.conformance.postgres import PostgresSpace
from tests.conformance.redis import RedisSpace
from tests.support.postgres import Postgres
from tests.support.valkey import Valkey

HALF = "\ud800"


@pytest.fixture(params=["redis", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    space: RedisSpace | PostgresSpace
    if request.param == "redis":
        server: Valkey = request.getfixturevalue("valkey_server")
        space = RedisSpace(server.url, [server])
    else:
        database: Postgres = request.getfixturevalue("postgres_server")
        space = PostgresSpace(database)
    opened = space.client()
    await opened.open(namespace="shop", partitions=16)
    yield opened
    await opened.close()
    await space.dispose()


POISON = {
    "id": replace(create("p"), instance_id=f"p{HALF}"),
    "zero in id": create("p\0"),
    "name": create("p", record={"name": HALF}),
    "custom status": create("p", sets_custom_status=True, custom_status=HALF),
    "time": create("p", reminders_put=[Reminder("p", "late", 10**21)]),
    "past": create("p", reminders_put=[Reminder("p", "early", -1)]),
    "reminder": create("p", reminders_put=[Reminder("p", HALF, 0)]),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON.keys())
async def test_what_cannot_be_stored_is_named_and_does_not_take_its_batch_with_it(store: Store, poison: Commit) -> None:
    first = create("a", activities_put=[ActivityRow(0, 1, b"x")])
    with pytest.raises(StoreError, match="left out: instance 'p"):
        await store.commit([first, poison, create("b"), follow(first, events=[b"e"])])
    found = await store.load([place("a"), place("b"), place("p")])
    assert [stored and stored.record.version for stored in found] == [2, 1, None]
    assert await store.commit([create("p")]) == [Outcome.APPLIED]


@pytest.mark.parametrize("text", [HALF, "p\0"])
async def test_what_nothing_can_be_called_is_not_found(store: Store, text: str) -> None:
    await store.commit([create("p")])
    assert list(await store.load([(0, text)])) == [None]
    assert list(await store.view([(0, text)], payloads=True)) == [None]
    assert list(await store.history(0, text)) == []
    assert (await store.query(Filter(id_prefix=text), limit=5)).views == ()
    assert (await store.query(Filter(name=text), limit=5)).views == ()
