from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.sidecar.http.world import World, a_world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as world:
        yield world
