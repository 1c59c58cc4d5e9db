"""The memory store under the suite."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_sidecar.stores.contract import Store
from holdfast_sidecar.stores.memory import Memory, MemoryStore
from tests.conformance.harness import NAMESPACE, PARTITIONS


class MemorySpace:
    def __init__(self) -> None:
        self.memory = Memory()

    def client(self) -> Store:
        return MemoryStore(self.memory)

    async def second(self, first: Store) -> Store:
        second = self.client()
        await second.open(namespace=NAMESPACE, partitions=PARTITIONS)
        return second

    async def residue(self) -> Sequence[str]:
        memory = self.memory
        return [str(row) for rows in (memory.cells, memory.due, memory.created, memory.completed) for row in rows]

    async def make_layout_newer(self) -> None:
        assert self.memory.identity is not None
        namespace, partitions, layout = self.memory.identity
        self.memory.identity = (namespace, partitions, layout + 1)

    async def dispose(self) -> None:
        self.memory = Memory()


class MemoryBackend:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def space(self) -> MemorySpace:
        return MemorySpace()
