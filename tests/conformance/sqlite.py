"""The SQLite store under the suite."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import apsw

from holdfast_sidecar.stores.contract import Store
from holdfast_sidecar.stores.sqlite import SqliteStore

_TABLES = ("instance", "custom_status", "history", "inbox", "activity", "reminder")


class SqliteSpace:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def client(self) -> SqliteStore:
        return SqliteStore(self.directory / "data")

    async def second(self, first: Store) -> Store:
        return first

    async def residue(self) -> Sequence[str]:
        connection = apsw.Connection(str(self.client().path))
        try:
            return [f"{table}: {row}" for table in _TABLES for row in connection.execute(f"SELECT * FROM {table}")]
        finally:
            connection.close()

    async def make_layout_newer(self) -> None:
        connection = apsw.Connection(str(self.client().path))
        connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'layout'")
        connection.close()

    async def dispose(self) -> None:
        shutil.rmtree(self.directory)


class SqliteBackend:
    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def space(self) -> SqliteSpace:
        return SqliteSpace(Path(tempfile.mkdtemp(prefix="holdfast-conformance-")))
