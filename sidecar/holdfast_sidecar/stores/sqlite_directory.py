"""The data directory: made for its owner alone, and held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from holdfast_sidecar.stores.contract import StoreError


class DirectoryLock:
    """Held from `take` until `release` or the end of the process, however it ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptor = -1

    def take(self) -> None:
        _make(self.directory)
        path = self.directory / "holdfast.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"data directory {self.directory}: expected to be its only user, but process {holder} holds it; "
                "stop that process, or give this one another directory"
            ) from held
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def make_private(path: Path) -> None:
    """SQLite gives its log and its index the permissions of the file itself."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _make(directory: Path) -> None:
    """The directory with its parents; their entries are on the disk before anything in it is."""
    if directory.is_dir():
        return
    try:
        if not directory.parent.is_dir():
            _make(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        parent = os.open(directory.parent, os.O_RDONLY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as refused:
        raise StoreError(
            f"data directory {directory}: cannot be made: {refused.strerror}; give another one"
        ) from refused
