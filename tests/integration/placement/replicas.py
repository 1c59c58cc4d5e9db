"""Placement replicas as real processes."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.folders import new_folder, remove_folder
from tests.support.ports import free_port
from tests.support.procs import Child, wait_until


class Replica:
    """Names, ports and settings stay over a restart."""

    def __init__(self, number: int, endpoints: Sequence[str], folder: Path, settings: Mapping[str, str]) -> None:
        self.id = f"p{number}"
        self.port, self.http_port = free_port(), free_port()
        self._log = folder / f"{self.id}.log"
        self._env = {
            "HOLDFAST_REPLICA_ID": self.id,
            "HOLDFAST_LISTEN_PORT": str(self.port),
            "HOLDFAST_HTTP_PORT": str(self.http_port),
            "HOLDFAST_ETCD_ENDPOINTS": ",".join(endpoints),
            "HOLDFAST_LOG_FORMAT": "json",
            **settings,
        }
        self.child = self._spawn()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def restart(self) -> None:
        self.child = self._spawn()

    def wait_ready(self) -> None:
        self.child.wait_http(f"http://127.0.0.1:{self.http_port}/readyz")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
            return bytes(answer.read())

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/api/v1/state"))
        return found

    def logged(self, message: str) -> list[dict[str, Any]]:
        """Its log lines with this message."""
        lines = [line for line in self.child.output().splitlines() if line.startswith("{")]
        return [entry for line in lines if (entry := json.loads(line))["message"] == message]

    def _spawn(self) -> Child:
        return Child.python("-m", "holdfast_placement", log=self._log, name=self.id, env=self._env)


class Replicas:
    """One or more replicas on one etcd; `settings` are for all, named as in the environment without the prefix."""

    def __init__(self, endpoints: Sequence[str], *, number: int = 1, settings: Mapping[str, str] | None = None) -> None:
        self.folder = new_folder("placement")
        env = {f"HOLDFAST_{name.upper()}": value for name, value in (settings or {}).items()}
        self.all = [Replica(each, endpoints, self.folder, env) for each in range(number)]

    @property
    def addresses(self) -> list[str]:
        return [replica.address for replica in self.all]

    def __getitem__(self, number: int) -> Replica:
        return self.all[number]

    def named(self, replica_id: str) -> Replica:
        return next(replica for replica in self.all if replica.id == replica_id)

    def leader(self) -> Replica:
        """Whoever leads now."""
        return wait_until(self._leader, "a leading replica")

    def _leader(self) -> Replica | None:
        return next((each for each in self.all if each.child.is_running and each.state()["is_leader"]), None)

    def __enter__(self) -> Self:
        for replica in self.all:
            replica.wait_ready()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for replica in self.all:
            replica.child.resume() if replica.child.is_running else None
            replica.child.kill()
        remove_folder(self.folder)
