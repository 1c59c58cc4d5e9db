"""One real sidecar for the tests of a session, and apps that talk to it in every way of caching."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio

from holdfast import Client
from holdfast.testing import Cluster
from tests.integration.running.sidecars import Running
from tests.integration.sdk.app import App

MODES: Final[dict[str, dict[str, Any]]] = {
    "cached": {},
    "cache of one": {"cache_max": 1},
    "no cache": {"cache_max": 0},
    "replayed every turn": {"replay_every_turn": True},
}


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture
def address(sidecar: Running) -> str:
    return f"127.0.0.1:{sidecar.grpc_port}"


@pytest_asyncio.fixture
async def client(address: str) -> AsyncIterator[Client]:
    async with Client(address) as client:
        yield client


@pytest.fixture
def plain(address: str, client: Client) -> App:
    """The app as users have it."""
    return App(address, client, {})


@pytest.fixture(params=list(MODES.values()), ids=list(MODES))
def app(request: pytest.FixtureRequest, address: str, client: Client) -> App:
    """The app with each way of caching: what a workflow does must not depend on it."""
    return App(address, client, request.param)


PLACES: Final = [
    *((f"sidecar, {name}", "sidecar", options) for name, options in MODES.items()),
    *((f"memory, {name}", "memory", options) for name, options in MODES.items()),
]


@pytest_asyncio.fixture(params=[place[1:] for place in PLACES], ids=[place[0] for place in PLACES])
async def app_anywhere(request: pytest.FixtureRequest, address: str, client: Client) -> AsyncIterator[App]:
    """The app beside a real sidecar and in memory, on a clock that jumps."""
    place, options = request.param
    if place == "sidecar":
        yield App(address, client, options)
        return
    async with Cluster() as cluster:
        yield App(cluster.connection, cluster.client, options, cluster.sleep)
