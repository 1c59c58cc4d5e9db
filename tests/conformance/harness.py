"""What the suite needs of a backend beside the Store itself: where data lives, and how to treat it badly.

To add a backend: write a `Backend`, and name it in `backends.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from holdfast_sidecar.stores.contract import Store

NAMESPACE = "shop"
PARTITIONS = 16


class Space(Protocol):
    """Fresh, empty room for the data of one test."""

    def client(self) -> Store:
        """A new client of this data, not opened yet. The suite closes the one before, unless it asks for a second."""
        ...

    async def second(self, first: Store) -> Store:
        """Another open client while `first` stays open; `first` itself where only one process may open the data."""
        ...

    async def residue(self) -> Sequence[str]:
        """All that is physically stored (rows, keys), named, without the identity of the store and its fences."""
        ...

    async def make_layout_newer(self) -> None:
        """Makes the stored layout version one more than this code knows. No client is open."""
        ...

    async def dispose(self) -> None:
        """Removes the data. Clients that the test opened are closed already."""
        ...


@asynccontextmanager
async def opened(space: Space) -> AsyncGenerator[Store]:
    client = space.client()
    await client.open(namespace=NAMESPACE, partitions=PARTITIONS)
    try:
        yield client
    finally:
        await client.close()


class Backend(Protocol):
    """One kind of store, started once for the whole run."""

    async def start(self) -> None:
        """Brings up the server, where there is one."""
        ...

    async def stop(self) -> None: ...

    async def space(self) -> Space: ...


class RestartableBackend(Backend, Protocol):
    """One whose server can be stopped and started with its data kept."""

    async def restart_server(self) -> None: ...
