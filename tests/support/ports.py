"""Ports that are free and stay ours."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

_RANGE = (20_000, 32_000)  # below what Linux hands out for outgoing connections
_TRIES = 500
_held = list[IO[str]]()


def free_port() -> int:
    """A port of 127.0.0.1 that no other test process gets while this one lives."""
    folder = Path(tempfile.gettempdir()) / f"holdfast-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for _ in range(_TRIES):
        port = random.randrange(*_RANGE)
        if _lock(folder / str(port)) and _is_free(port):
            return port
    raise RuntimeError(f"ports: expected a free one in {_RANGE[0]}-{_RANGE[1]}, found none in {_TRIES} tries")


def _lock(path: Path) -> bool:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
