"""A world per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.sidecar.api.world import World, a_world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made
