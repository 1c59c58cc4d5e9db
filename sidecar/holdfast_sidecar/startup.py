"""What can keep a sidecar from starting, told in one message."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

BACKLOG: Final = 512
_LISTENING: Final = "0A"
_SETTINGS: Final = {
    "grpc": "--grpc-port or HOLDFAST_GRPC_PORT",
    "http": "--http-port or HOLDFAST_HTTP_PORT",
    "peer": "HOLDFAST_PLACEMENT_PEER_PORT",
}


class Unstartable(Exception):
    """The sidecar cannot start as it was told to; the text says why and what to do. The program ends with 2."""


def reasons(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """The texts of everything in it, however deep."""
    texts = list[str]()
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            texts += reasons(cast("BaseExceptionGroup[BaseException]", error))
        else:
            texts.append(str(error))
    return texts


@contextmanager
def missing_extra(what: str, extra: str) -> Generator[None]:
    """Around the imports of what an extra brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package.startswith("holdfast"):
            raise
        raise Unstartable(
            f"{what}: expected the package {package}, found none; run: pip install 'holdfast[{extra}]'"
        ) from error


def check_exists(database: Path) -> None:
    if not database.exists():
        raise Unstartable(f"store {database}: expected a database, found none; check the directory")


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@contextmanager
def listening(what: str, address: str, port: int) -> Generator[socket.socket]:
    """A socket on its port: callers wait until it is served. Unstartable when the port is taken."""
    try:
        listener = socket.create_server((address, port), family=family_of(address), backlog=BACKLOG)
    except OSError as error:
        raise cannot_listen(what, address, port) from error
    with listener:
        yield listener


def check_port(what: str, address: str, port: int) -> None:
    """Unstartable when nobody could listen there now. For servers that tell it less well themselves."""
    try:
        socket.create_server((address, port), family=family_of(address)).close()
    except OSError as error:
        raise cannot_listen(what, address, port) from error


def cannot_listen(what: str, address: str, port: int) -> Unstartable:
    """`what` is grpc, http or peer."""
    holder = holder_of(port)
    who = f"process {holder} listens there" if holder else "it is in use, or the address is not of this machine"
    return Unstartable(
        f"{what} on {address} port {port}: cannot listen, {who}; stop that process, or choose another port with "
        f"{_SETTINGS[what]}"
    )


def holder_of(port: int, proc: Path = Path("/proc")) -> int | None:
    """The process that listens on a port, where the system tells."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port, proc)}
    return next((pid for pid, name in _open_files(proc) if name in sockets), None) if sockets else None


def _listening(port: int, proc: Path) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        table = proc / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_files(proc: Path) -> Iterator[tuple[int, str]]:
    for folder in proc.glob("[0-9]*/fd"):
        try:
            for link in folder.iterdir():
                yield int(folder.parent.name), str(link.readlink())
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
