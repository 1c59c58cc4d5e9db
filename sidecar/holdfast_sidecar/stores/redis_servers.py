"""Which server holds a partition: one for all (standalone, or the master that sentinels name), or one of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from holdfast_sidecar.stores.redis_link import Item, LinkSettings, Node, Pool, Script, answers, calls, check
from holdfast_sidecar.stores.urls import Address, RedisUrl, Tls


class Servers(Protocol):
    @property
    def waits_for_replicas(self) -> bool:
        """Whether a write counts only when replicas have it."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def run(self, script: Script, items: Sequence[Item]) -> list[Any]:
        """The script's answer per item."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Those that take writes."""
        ...


class Guide(Protocol):
    """Who was asked for the way, and keeps a connection: a sentinel."""

    async def aclose(self) -> None: ...


class OneServer:
    """All partitions on one server: items of all partitions travel together."""

    def __init__(self, node: Node, *, waits_for_replicas: bool, guides: Sequence[Guide] = ()) -> None:
        self.waits_for_replicas = waits_for_replicas
        self._node = node
        self._guides = guides

    async def open(self) -> None:
        check(await self._node.call([("PING",)]), server=self._node.name)

    async def close(self) -> None:
        await self._node.close()
        for guide in self._guides:
            await guide.aclose()

    async def run(self, script: Script, items: Sequence[Item]) -> list[Any]:
        if not items:
            return []
        replies = await self._node.run(script, [command for command, _ in calls(script, items)])
        check(replies, server=self._node.name)
        return [answer for reply in replies for answer in answers(reply)]

    def nodes(self) -> Sequence[Node]:
        return [self._node]


def link_settings(url: RedisUrl) -> LinkSettings:
    return LinkSettings(
        timeout_s=url.timeout.total_seconds(),
        connections_max=url.connections_max,
        wait_replicas=url.wait_replicas,
        wait_timeout_ms=max(int(url.wait_timeout.total_seconds() * 1000), 1),
    )


def node_at(url: RedisUrl, address: Address) -> Node:
    kind = Connection if url.tls is None else SSLConnection
    pool = ConnectionPool(connection_class=kind, host=address.host, port=address.port, **_connecting(url))
    return Node(str(address), cast("Pool", pool), link_settings(url))


def sentinel_master(url: RedisUrl) -> OneServer:
    """The master, asked for anew whenever a connection is made."""
    theirs = {"username": url.sentinel_username or None, "password": url.sentinel_password or None}
    sentinel = Sentinel(
        [(address.host, address.port) for address in url.addresses],
        sentinel_kwargs={**_network(url), **theirs, "ssl": url.tls is not None, "retry": Retry(NoBackoff(), 0)},
    )
    pool = SentinelConnectionPool(url.master, sentinel, ssl=url.tls is not None, **_connecting(url))
    node = Node(f"master {url.master!r}", cast("Pool", pool), link_settings(url))
    guides = cast("Sequence[Guide]", sentinel.sentinels)
    return OneServer(node, waits_for_replicas=url.wait_replicas > 0, guides=guides)


def _connecting(url: RedisUrl) -> dict[str, Any]:
    account = {"username": url.username or None, "password": url.password or None}
    return {**_network(url), **account, "db": url.database, "client_name": "holdfast"}


def _network(url: RedisUrl) -> dict[str, Any]:
    timeout_s = url.timeout.total_seconds()
    common = {"protocol": 2, "socket_connect_timeout": timeout_s, "socket_timeout": None, "socket_keepalive": True}
    return common | _tls(url.tls)


def _tls(tls: Tls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {
        "ssl_check_hostname": True,
        "ssl_ca_certs": tls.ca or None,
        "ssl_certfile": tls.cert or None,
        "ssl_keyfile": tls.key or None,
    }
