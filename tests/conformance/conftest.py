from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from holdfast_sidecar.stores.contract import Store
from tests.conformance.backends import BACKENDS, RESTARTABLE
from tests.conformance.harness import Backend, RestartableBackend, Space, opened


@pytest.fixture(scope="session", params=sorted(BACKENDS))
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    started = BACKENDS[request.param]()
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def space(backend: Backend) -> AsyncIterator[Space]:
    fresh = await backend.space()
    yield fresh
    await fresh.dispose()


@pytest.fixture
async def store(space: Space) -> AsyncIterator[Store]:
    async with opened(space) as client:
        yield client


@pytest.fixture(params=sorted(RESTARTABLE))
async def restartable(request: pytest.FixtureRequest) -> AsyncIterator[RestartableBackend]:
    started = RESTARTABLE[request.param]()
    await started.start()
    yield started
    await started.stop()
