"""A fixture for pytest with pytest-asyncio. In a conftest.py:

    from holdfast.testing.fixtures import holdfast_cluster  # noqa: F401

and in tests:

    async def test_checkout(holdfast_cluster) -> None:
        cluster = await holdfast_cluster(checkout, charge)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import pytest_asyncio

from holdfast.testing.cluster import Cluster

Open: TypeAlias = Callable[..., Awaitable[Cluster]]
"""Takes what Cluster takes and gives one that is open; it is closed after the test."""


@pytest_asyncio.fixture
async def holdfast_cluster() -> AsyncGenerator[Open]:
    async with AsyncExitStack() as stack:

        async def open_cluster(*offers: object, **options: Any) -> Cluster:
            return await stack.enter_async_context(Cluster(*offers, **options))

        yield open_cluster
