"""The processes of a run: the sidecar, the app, the client. Each can be killed and started again at its place."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.ports import free_port
from tests.support.procs import Child

_GRPC_SAYS: Final = re.compile(
    r"I\d{4} [\d:.]+ "
)  # what gRPC's core writes past our log: a connection that was given up


class Sidecar:
    """Ports and data stay over a restart."""

    def __init__(self, folder: Path, *, store: str = "", name: str = "sidecar", env: dict[str, str] | None = None):
        self.folder = folder
        self.name = name
        self.data_dir = folder / "data"
        self.grpc_port, self.http_port = free_port(), free_port()
        self._store = store
        self._env = {"HOLDFAST_LOG_FORMAT": "json", **(env or {})}
        self.child: Child | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def process(self) -> Child:
        if self.child is None:
            raise RuntimeError(f"{self.name}: expected to be started, call start()")
        return self.child

    def start(self) -> None:
        flags: list[str | Path] = ["--grpc-port", str(self.grpc_port), "--http-port", str(self.http_port)]
        flags += ["--data-dir", self.data_dir]
        if self._store:
            flags += ["--store", self._store]
        log = self.folder / f"{self.name}.log"
        self.child = Child.python("-m", "holdfast_cli", "dev", *flags, log=log, name=self.name, env=self._env)

    def wait_ready(self) -> None:
        self.process.wait_http(f"http://127.0.0.1:{self.http_port}/v1.0/healthz/outbound", status=204)

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=10) as answer:
            lines: Sequence[str] = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0] == name)

    def close(self) -> None:
        if self.child is not None and self.child.is_running:
            self.child.kill()


class App:
    """A worker process with the workload."""

    def __init__(self, folder: Path, address: str, *, name: str = "app") -> None:
        self.folder = folder
        self.name = name
        self.journal = folder / "journal"
        self._address = address
        self.child = self._spawn()

    def _spawn(self) -> Child:
        args = ("-m", "tests.support.workload", self._address, self.journal)
        return Child.python(*args, log=self.folder / f"{self.name}.log", name=self.name)

    def start(self) -> None:
        self.child = self._spawn()

    def close(self) -> None:
        if self.child.is_running:
            self.child.kill()


def errors_in(log: Path) -> list[str]:
    """What a program says that a person should look at; its other output is not for us."""
    found = list[str]()
    for line in log.read_text(errors="replace").splitlines():
        if not line.startswith("{"):
            found += [line] if line.strip() and not _GRPC_SAYS.match(line) else []
            continue
        entry = json.loads(line)
        if entry["level"] in ("ERROR", "CRITICAL"):
            found.append(line)
    return found
