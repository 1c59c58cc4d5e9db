"""PostgreSQL under the suite. Each space is a schema of its own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from holdfast_sidecar.stores.contract import Store
from holdfast_sidecar.stores.postgres import LAYOUT, PostgresStore
from holdfast_sidecar.stores.urls import PostgresUrl, parse_store_url
from tests.conformance.harness import NAMESPACE, PARTITIONS
from tests.support.postgres import Postgres

_numbers = count(1)
_TABLES = ("instances", "history", "inbox", "activities", "reminders")


def postgres_store(url: str) -> PostgresStore:
    parsed = parse_store_url(url)
    assert isinstance(parsed, PostgresUrl)
    return PostgresStore(parsed)


class PostgresSpace:
    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.schema = f"space_{next(_numbers)}"
        self.url = f"{server.url}?schema={self.schema}"

    def client(self) -> Store:
        return postgres_store(self.url)

    async def second(self, first: Store) -> Store:
        second = self.client()
        await second.open(namespace=NAMESPACE, partitions=PARTITIONS)
        return second

    async def residue(self) -> Sequence[str]:
        rows = " UNION ALL ".join(f"SELECT '{name} ' || r::text FROM {self.schema}.{name} r" for name in _TABLES)
        return self.server.psql(rows).splitlines()

    async def make_layout_newer(self) -> None:
        self.server.psql(f"UPDATE {self.schema}.identity SET layout = {LAYOUT + 1}")

    async def dispose(self) -> None:
        self.server.psql(f"SET client_min_messages = warning; DROP SCHEMA {self.schema} CASCADE")


class PostgresBackend:
    def __init__(self) -> None:
        self.server = Postgres()

    async def start(self) -> None:
        self.server.start()

    async def stop(self) -> None:
        self.server.close()

    async def space(self) -> PostgresSpace:
        return PostgresSpace(self.server)

    async def restart_server(self) -> None:
        self.server.kill()
        self.server.start()
