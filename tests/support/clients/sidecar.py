"""A sidecar as its own process, with a folder and ports of its own; killed and started again it has both still."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port
from tests.support.procs import Child

PYTHON_VARIABLE = "HOLDFAST_PYTHON"  # set for suites in other environments: where the sidecar is installed


class SidecarProcess:
    def __init__(self, *, store: str = "") -> None:
        """`store` is a URL; empty is the embedded one."""
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-sidecar-"))
        self.grpc = f"127.0.0.1:{free_port()}"
        self.http = f"127.0.0.1:{free_port()}"
        self._store = store
        self.start()

    def start(self) -> None:
        """Ready when this returns."""
        python = os.environ.get(PYTHON_VARIABLE, sys.executable)
        flags = ["--grpc-port", _port(self.grpc), "--http-port", _port(self.http), "--data-dir", str(self.folder)]
        store = ["--store", self._store] if self._store else []
        command = [python, "-m", "holdfast_sidecar", *flags, *store]
        self.child = Child(command, log=self.folder / "sidecar.log", name="sidecar", env={"PYTHONPATH": ""})
        self.child.wait_http(f"http://{self.http}/v1.0/healthz", status=204)

    def kill(self) -> None:
        """As if the power went: SIGKILL, and gone when this returns."""
        self.child.kill()

    def environment(self) -> dict[str, str]:
        """What tells a suite where the sidecar is."""
        return {"HOLDFAST_GRPC": self.grpc, "HOLDFAST_HTTP": self.http, PYTHON_VARIABLE: sys.executable}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.kill()
        shutil.rmtree(self.folder)


def _port(address: str) -> str:
    return address.rpartition(":")[2]
