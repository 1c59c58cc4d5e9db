"""Where a crashed sidecar keeps its state: each store, how its server dies, and what physically lies in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

import apsw

from tests.support.postgres import Postgres
from tests.support.valkey import Valkey


class Ground(Protocol):
    has_server: bool
    port: int  # of its server

    @property
    def url(self) -> str:
        """For --store; empty: SQLite in the data directory."""
        ...

    def start(self) -> None: ...

    def kill_server(self) -> None:
        """SIGKILL, as if it lost power."""
        ...

    def start_server(self) -> None: ...

    def in_flight(self) -> list[str]:
        """Rows that stand for something that is still to happen: inbox, activity requests, reminders."""
        ...

    def residue(self) -> list[str]:
        """Everything that is stored, without the identity of the store and its fences."""
        ...

    def close(self) -> None: ...


class SqliteGround:
    has_server = False
    port = 0
    url = ""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "holdfast.db"

    def start(self) -> None: ...

    def kill_server(self) -> None:
        raise AssertionError("SQLite has no server to kill")

    start_server = kill_server

    def in_flight(self) -> list[str]:
        return self._rows("inbox", "activity", "reminder")

    def residue(self) -> list[str]:
        return self._rows("instance", "custom_status", "history", "inbox", "activity", "reminder")

    def _rows(self, *tables: str) -> list[str]:
        """Through a connection that cannot write, so that looking changes nothing."""
        with closing(apsw.Connection(str(self._path), apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(5000)
            return [f"{table}: {row}" for table in tables for row in connection.execute(f"SELECT * FROM {table}")]

    def close(self) -> None: ...


class RedisGround:
    has_server = True

    def __init__(self, data_dir: Path) -> None:
        self._server = Valkey(appendonly=True)
        self.url, self.port = self._server.url, self._server.port

    def start(self) -> None:
        self._server.start()

    def kill_server(self) -> None:
        self._server.kill()

    def start_server(self) -> None:
        self._server.start()

    def in_flight(self) -> list[str]:
        found = [*self._keys("*:activity:*"), *self._keys("*:reminders:*"), *self._keys("*:due")]
        return found + [str(row) for row in self._server.call("EVAL", _INBOXES, 0)]

    def residue(self) -> list[str]:
        return [key for key in self._keys("*") if not key.endswith((":fence", ":layout"))]

    def _keys(self, pattern: str) -> list[str]:
        return [str(key) for key in self._server.call("KEYS", pattern)]

    def close(self) -> None:
        self._server.close()


_INBOXES: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*:workflow:*')) do
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if field:sub(1, 6) == 'inbox-' then found[#found + 1] = key .. ' ' .. field end
  end
end
return found
"""


class PostgresGround:
    has_server = True

    def __init__(self, data_dir: Path) -> None:
        self._server = Postgres()
        self.url, self.port = self._server.url, self._server.port

    def start(self) -> None:
        self._server.start()

    def kill_server(self) -> None:
        self._server.kill()

    def start_server(self) -> None:
        self._server.start()

    def in_flight(self) -> list[str]:
        return self._rows("inbox", "activities", "reminders")

    def residue(self) -> list[str]:
        return self._rows("instances", "history", "inbox", "activities", "reminders")

    def _rows(self, *tables: str) -> list[str]:
        select = " UNION ALL ".join(f"SELECT '{name} ' || r::text FROM holdfast.{name} r" for name in tables)
        return self.psql(select).splitlines()

    def psql(self, statement: str) -> str:
        return self._server.psql(statement)

    def close(self) -> None:
        self._server.close()


GROUNDS: Final[Mapping[str, Callable[[Path], Ground]]] = {
    "sqlite": SqliteGround,
    "redis": RedisGround,
    "postgres": PostgresGround,
}
