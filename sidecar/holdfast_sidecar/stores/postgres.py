"""The store in PostgreSQL: a batch of commits is one call of one function; what is read is one statement."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import blake2b
from importlib.resources import files
from typing import Final

from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores import postgres_rows
from holdfast_sidecar.stores.contract import Due, Outcome, StoreError, StoreMismatch
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor
from holdfast_sidecar.stores.postgres_link import Connection, Postgres
from holdfast_sidecar.stores.postgres_query import count_query, page_query
from holdfast_sidecar.stores.postgres_rows import Batch, waves
from holdfast_sidecar.stores.stamps import stamp
from holdfast_sidecar.stores.text import findable, is_encodable, is_storable
from holdfast_sidecar.stores.urls import PostgresUrl

logger = logging.getLogger(__name__)

LAYOUT: Final = 1
_ALL_ROWS: Final = 2**31 - 1
_LOAD_MAX: Final = 64  # instances of one statement, which has them all in memory
_FEW: Final = 1000  # so many with a prefix are read and sorted; if more, the order is scanned for them


def _text(name: str) -> str:
    return (files("holdfast_sidecar.stores") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


class PostgresStore:
    def __init__(self, url: PostgresUrl) -> None:
        self._link = Postgres(url)
        self._schema = url.schema
        names = ("tables", "acquire", "load", "view", "history", "due")
        self._sql = {name: _text(name).replace("{s}", url.schema) for name in names}
        body = _text("commit")
        self._function = f"commit_{blake2b(body.encode(), digest_size=6).hexdigest()}"
        self._sql["commit"] = body.replace("{s}", url.schema).replace("{f}", self._function)
        places = ", ".join(f"${number}" for number in range(1, len(Batch(()).arguments()) + 1))
        self._call = f"SELECT {url.schema}.{self._function}({places}) AS outcomes"

    async def open(self, *, namespace: str, partitions: int) -> None:
        await self._link.open()
        if not await self._is_there("to_regclass", f"{self._schema}.identity"):
            await self._create(namespace, partitions)
        await self._check({"layout": LAYOUT, "namespace": namespace, "partitions": partitions})
        if not await self._is_there("to_regproc", f"{self._schema}.{self._function}"):
            async with self._link.transaction() as connection:
                await self._lock(connection)
                await connection.execute(self._sql["commit"])
        await self._warn_if_volatile()

    async def close(self) -> None:
        await self._link.close()

    async def _is_there(self, lookup: str, name: str) -> bool:
        (row,) = await self._link.fetch(f"SELECT {lookup}($1::text) IS NOT NULL AS is_there", name)
        return bool(row["is_there"])

    async def _lock(self, connection: Connection) -> None:
        """Others that open a fresh schema at the same time wait here."""
        await connection.fetch("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"holdfast {self._schema}")

    async def _create(self, namespace: str, partitions: int) -> None:
        async with self._link.transaction() as connection:
            await self._lock(connection)
            (row,) = await connection.fetch("SELECT to_regclass($1) IS NULL AS is_new", f"{self._schema}.identity")
            if not row["is_new"]:
                return
            await connection.execute(self._sql["tables"])
            await connection.fetch(
                f"INSERT INTO {self._schema}.identity (layout, namespace, partitions) VALUES ($1, $2, $3)",
                *(LAYOUT, namespace, partitions),
            )
            await connection.fetch(
                f"INSERT INTO {self._schema}.fences (partition) SELECT generate_series(0, $1::int - 1)", partitions
            )

    async def _check(self, wanted: dict[str, object]) -> None:
        (row,) = await self._link.fetch(
            f"SELECT layout, namespace, partitions, current_setting('server_encoding') AS encoding "
            f"FROM {self._schema}.identity"
        )
        found = {name: row[name] for name in wanted}
        if found != wanted or row["encoding"] != "UTF8":
            raise StoreMismatch(
                f"postgres {self._link.name}, schema {self._schema}: expected {_in_words(wanted)}, encoding UTF8, "
                f"found {_in_words(found)}, encoding {row['encoding']}; nothing was touched; "
                "use the values that the data was made with, or another ?schema="
            )

    async def _warn_if_volatile(self) -> None:
        names = ("fsync", "full_page_writes", "synchronous_commit")
        (row,) = await self._link.fetch("SELECT " + ", ".join(f"current_setting('{name}') AS {name}" for name in names))
        off = [name for name in names if row[name] == "off"]
        if off:
            logger.warning(
                "the postgres server may lose what it has acknowledged",
                extra={"server": self._link.name, "expected": "on", "off": off},
            )

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        held = {row["partition"] for row in await self._link.fetch(self._sql["acquire"], list(partitions), epoch)}
        return [partition for partition in partitions if partition in held]

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        outcomes, wrong = list[Outcome](), list[str]()
        for wave in waves(commits):
            try:
                outcomes += await self._apply(wave)
            except ValueError:
                wrong += await self._apply_singly(wave)
        if wrong:
            raise StoreError(f"postgres: what cannot be stored was left out: {'; '.join(wrong)}")
        return outcomes

    async def _apply(self, wave: Sequence[Commit]) -> Sequence[Outcome]:
        (row,) = await self._link.fetch(self._call, *Batch(wave).arguments())
        numbers: list[int] = row["outcomes"]
        return [postgres_rows.OUTCOMES[number] for number in numbers]

    async def _apply_singly(self, wave: Sequence[Commit]) -> Sequence[str]:
        """What was wrong with each that cannot be stored; the others must not suffer for it."""
        wrong = list[str]()
        for commit in wave:
            try:
                await self._apply([commit])
            except ValueError as error:
                wrong.append(f"instance {commit.instance_id!r}: {error}")
        return wrong

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        found = list[Stored | None]()
        for first in range(0, len(instances), _LOAD_MAX):
            ids = [instance_id for _, instance_id in instances[first : first + _LOAD_MAX]]
            rows = await self._link.fetch(self._sql["load"], [*map(findable, ids)])
            found += [postgres_rows.stored(row, instance_id) for row, instance_id in zip(rows, ids, strict=True)]
        return found

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        return await self._views([instance_id for _, instance_id in instances], payloads=payloads)

    async def _views(self, ids: Sequence[str], *, payloads: bool) -> Sequence[View | None]:
        rows = await self._link.fetch(self._sql["view"], [*map(findable, ids)], payloads)
        return [postgres_rows.view(row) for row in rows]

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        rows = await self._link.fetch(self._sql["history"], findable(instance_id), first, limit or _ALL_ROWS)
        return tuple(row["event"] for row in rows)

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        start = decode_cursor(cursor, tuple[int, str, str])
        place = (stamp(after + 1), "", "") if start is None else (stamp(start[0]), *start[1:])
        rows = await self._link.fetch(self._sql["due"], list(partitions), *place, stamp(until + 1), limit + 1)
        found = tuple(postgres_rows.reminder(row) for row in rows[:limit])
        last = (found[-1].due_at, found[-1].instance_id, found[-1].name) if len(rows) > limit else None
        return Due(reminders=found, cursor=encode_cursor(last) if last else "")

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        start = decode_cursor(cursor, tuple[int, str])
        if not (is_encodable(wanted.name) and is_storable(wanted.id_prefix)):
            return Page()  # nothing has such a name or id
        are_few = bool(wanted.id_prefix) and await self._are_few(wanted.id_prefix)
        sql, args = page_query(wanted, start, limit=limit + 1, schema=self._schema, are_few=are_few)
        places = [(row["at"], row["id"]) for row in await self._link.fetch(sql, *args)]
        views = await self._views([instance_id for _, instance_id in places[:limit]], payloads=payloads)
        return Page(
            views=tuple(view for view in views if view is not None),
            cursor=encode_cursor(places[limit - 1]) if len(places) > limit else "",
        )

    async def _are_few(self, start: str) -> bool:
        sql, args = count_query(start, limit=_FEW + 1, schema=self._schema)
        (row,) = await self._link.fetch(sql, *args)
        return int(row["count"]) <= _FEW


def _in_words(fields: dict[str, object]) -> str:
    return ", ".join(f"{name} {fields[name]}" for name in fields)
