"""Whole sidecar processes, and plain HTTP to them."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import grpc

from tests.support.ports import free_port
from tests.support.procs import Child

_HELD_BACK = "HOLDFAST_"  # settings of whoever runs the tests are not ours


def clean_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**{name: "" for name in os.environ if name.startswith(_HELD_BACK)}, **(extra or {})}


class Running:
    """A sidecar with its own ports and directory; restarts keep both."""

    def __init__(
        self, folder: Path, *flags: str | Path, command: str = "dev", env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.grpc_port, self.http_port = free_port(), free_port()
        self.data_dir = folder / "data"
        self._command = command
        self._flags = flags
        self._env = clean_env(env)
        self.child = self._start()

    def _start(self) -> Child:
        ports = ("--grpc-port", str(self.grpc_port), "--http-port", str(self.http_port))
        args = ("-m", "holdfast_cli", self._command, *ports, "--data-dir", self.data_dir, *self._flags)
        return Child.python(*args, log=self.folder / "log", name="sidecar", env=self._env)

    def start(self) -> None:
        self.child = self._start()

    def ready(self) -> Self:
        self.child.wait_http(f"{self.url}/v1.0/healthz/outbound", status=204)
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> "Answer":
        request = urllib.request.Request(self.url + path, data=body or None, method=method, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=30) as found:
                return Answer(found.status, found.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        self.child.kill()


def as_is(data: bytes) -> bytes:
    """The serializer of calls that speak in bytes."""
    return data


def hello(channel: grpc.Channel, token: str = "", name: str = "dapr-api-token") -> bytes:
    call = channel.unary_unary("/TaskHubSidecarService/Hello", as_is, as_is)
    return call(b"", timeout=20, metadata=((name, token),) if token else ())


def work_items(channel: grpc.Channel) -> Iterator[bytes]:
    return iter(channel.unary_stream("/TaskHubSidecarService/GetWorkItems", as_is, as_is)(b"", timeout=20))


class Answer:
    def __init__(self, status: int, data: bytes) -> None:
        self.status = status
        self.data = data

    @property
    def body(self) -> Any:
        return json.loads(self.data)


def run_holdfast(*args: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast_cli", *map(str, args)],
        env={**os.environ, **clean_env(env)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
