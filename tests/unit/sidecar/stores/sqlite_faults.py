"""A file system for SQLite that can run out of room or fail, where a test says so."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw


@dataclass
class BadDisk:
    """What the next operations on the log end with; None is a healthy disk."""

    on_write: Exception | None = None
    on_sync: Exception | None = None


@contextmanager
def bad_disk() -> Generator[BadDisk]:
    """Every connection opened inside uses it."""
    disk = BadDisk()
    system = _FaultySystem(disk)
    try:
        yield disk
    finally:
        system.unregister()


class _FaultySystem(apsw.VFS):
    def __init__(self, disk: BadDisk) -> None:
        self._disk = disk
        super().__init__(name=f"bad-{id(disk)}", base="unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FaultyFile(self._disk, name, flags)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: BadDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._is_log and self._disk.on_write is not None:
            raise self._disk.on_write
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._is_log and self._disk.on_sync is not None:
            raise self._disk.on_sync
        super().xSync(flags)
