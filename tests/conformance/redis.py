"""Redis under the suite: one server, and a cluster of three masters. Each space has keys of its own prefix."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from holdfast_sidecar.stores.contract import Store
from holdfast_sidecar.stores.redis import RedisStore, servers_of
from holdfast_sidecar.stores.redis_keys import LAYOUT, layout_key
from holdfast_sidecar.stores.urls import RedisUrl, parse_store_url
from tests.conformance.harness import NAMESPACE, PARTITIONS
from tests.support.valkey import Valkey, ValkeyCluster

_numbers = count(1)


def redis_store(url: str) -> RedisStore:
    parsed = parse_store_url(url)
    assert isinstance(parsed, RedisUrl)
    return RedisStore(servers_of(parsed), prefix=parsed.prefix)


class RedisSpace:
    def __init__(self, url: str, nodes: Sequence[Valkey]) -> None:
        self.prefix = f"test-{next(_numbers)}"
        self.url = f"{url}?prefix={self.prefix}"
        self.nodes = nodes

    def client(self) -> Store:
        return redis_store(self.url)

    async def second(self, first: Store) -> Store:
        second = self.client()
        await second.open(namespace=NAMESPACE, partitions=PARTITIONS)
        return second

    async def residue(self) -> Sequence[str]:
        return [key for node in self.nodes for key in self._keys(node) if not key.endswith((":fence", ":layout"))]

    async def make_layout_newer(self) -> None:
        for node in self.nodes:
            if layout_key(self.prefix) in self._keys(node):
                node.call("HSET", layout_key(self.prefix), "layout", LAYOUT + 1)

    async def dispose(self) -> None:
        for node in self.nodes:
            for key in self._keys(node):
                node.call("UNLINK", key)

    def _keys(self, node: Valkey) -> list[str]:
        return [*node.call("KEYS", f"{{{self.prefix}:*"), *node.call("KEYS", f"{{{self.prefix}}}:*")]


class RedisBackend:
    def __init__(self) -> None:
        self.server = Valkey()

    async def start(self) -> None:
        self.server.start()

    async def stop(self) -> None:
        self.server.close()

    async def space(self) -> RedisSpace:
        return RedisSpace(self.server.url, [self.server])

    async def restart_server(self) -> None:
        self.server.kill()
        self.server.start()


class RedisClusterBackend:
    def __init__(self) -> None:
        self.cluster = ValkeyCluster()

    async def start(self) -> None:
        self.cluster.start()

    async def stop(self) -> None:
        self.cluster.close()

    async def space(self) -> RedisSpace:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.cluster.nodes)
        return RedisSpace(f"redis+cluster://{hosts}", self.cluster.nodes)

    async def restart_server(self) -> None:
        for node in self.cluster.nodes:
            node.kill()
            node.start()
        self.cluster.wait_healthy()
