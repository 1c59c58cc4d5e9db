"""Disks that are soon full, and can be given more room while they are in use."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from tests.integration.crash.processes import Sidecar

_MB: Final = 1 << 20
_SMALL: Final = 6 * _MB


class SmallDisk(Protocol):
    folder: Path

    def confine(self, sidecar: Sidecar) -> None:
        """Once it runs."""
        ...

    def make_room(self, sidecar: Sidecar) -> None: ...


class FileSizeLimit:
    """No file of the process may grow beyond a bound, as with a quota or a volume of old make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def confine(self, sidecar: Sidecar) -> None:
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (_SMALL, resource.RLIM_INFINITY))

    def make_room(self, sidecar: Sidecar) -> None:
        if sidecar.process.is_running:  # the next one has no such bound
            endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, endless)


class Tmpfs:
    """A file system with no room left. Needs the right to mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def confine(self, sidecar: Sidecar) -> None: ...

    def make_room(self, sidecar: Sidecar) -> None:
        _mount("-o", f"remount,size={40 * _MB}", self.folder)


@contextmanager
def file_size_limit(folder: Path) -> Generator[SmallDisk]:
    yield FileSizeLimit(folder)


@contextmanager
def tmpfs(folder: Path) -> Generator[SmallDisk]:
    place = folder / "small"
    place.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={_SMALL}", "tmpfs", place)
    try:
        yield Tmpfs(place)
    finally:
        subprocess.run(["umount", place], check=True)


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def _may_mount() -> bool:
    if os.geteuid():
        return False
    with tempfile.TemporaryDirectory() as place:
        try:
            _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", Path(place))
        except (OSError, subprocess.CalledProcessError):  # root of a container, perhaps
            return False
        subprocess.run(["umount", place], check=True)
        return True


DISKS: Final = {"file-size-limit": file_size_limit, **({"tmpfs": tmpfs} if _may_mount() else {})}
