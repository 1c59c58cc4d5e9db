"""A sidecar that is a member of a cluster, and what its HTTP port tells."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.integration.crash.processes import Sidecar
from tests.support.ports import free_port
from tests.support.procs import Child

PARTITIONS = 256


class Member(Sidecar):
    """Ports and host id stay over a restart."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        store: str,
        placement: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, store=store, name=name)
        self.peer_port = free_port()
        self._settings = {
            **{given: "" for given in os.environ if given.startswith("HOLDFAST_")},
            "HOLDFAST_GRPC_PORT": str(self.grpc_port),
            "HOLDFAST_HTTP_PORT": str(self.http_port),
            "HOLDFAST_DATA_DIR": str(self.data_dir),
            "HOLDFAST_STORE": store,
            "HOLDFAST_LOG_FORMAT": "json",
            "HOLDFAST_PARTITIONS": str(PARTITIONS),
            "HOLDFAST_PLACEMENT_ADDRESSES": ",".join(placement),
            "HOLDFAST_PLACEMENT_HOST_ID": name,
            "HOLDFAST_PLACEMENT_PEER_PORT": str(self.peer_port),
            **(env or {}),
        }

    def told_peers(self, address: str) -> None:
        """Where the others are told to find it, from its next start on."""
        self._settings["HOLDFAST_PLACEMENT_PEER_ADDRESS"] = address

    def start(self) -> None:
        log = self.folder / f"{self.name}.log"
        self.child = Child.python("-m", "holdfast_cli", "sidecar", log=log, name=self.name, env=self._settings)

    @property
    def owned(self) -> int:
        return int(self.metric("holdfast_partitions_owned"))

    @property
    def commits(self) -> float:
        return self.metric("holdfast_commits_total")

    @property
    def lost(self) -> int:
        """Partitions of which it learned by a refused commit that they are not its own any more."""
        return int(self.metric("holdfast_partitions_lost_total"))

    def logged(self, message: str) -> list[dict[str, object]]:
        """Log lines of this process that begin so."""
        return [entry for entry in self._entries() if str(entry["message"]).startswith(message)]

    def _entries(self) -> Iterator[dict[str, object]]:
        for line in self.process.output().splitlines():
            if line.startswith("{"):
                yield json.loads(line)
