"""The processes of a benchmark: the sidecar, and apps that are told what to do line by line."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import procfs

ROOT = Path(__file__).parents[1]
READY_S = 60.0
END_S = 15.0
_POLL_S = 0.005


class Sidecar:
    """One sidecar with a folder and ports of its own; started again it has both still."""

    def __init__(self, folder: Path, *, store: str = "", profile: Path | None = None) -> None:
        self._folder = folder
        self._store = store
        self._profile = profile
        self.grpc, self.http = f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the sidecar has not been started"
        return self._process.pid

    async def start(self) -> None:
        """Ready when this returns."""
        flags = ["--grpc-port", self.grpc.split(":")[1], "--http-port", self.http.split(":")[1]]
        flags += ["--data-dir", str(self._folder / "data"), *(["--store", self._store] if self._store else [])]
        profile = {"HOLDFAST_PROFILE": str(self._profile)} if self._profile else {}
        with (self._folder / "sidecar.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "bench.launcher", *flags),
                env={**os.environ, **profile, "HOLDFAST_LOG_LEVEL": "warning"},
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(READY_S):
            while not await asyncio.to_thread(_is_ready, self.http):
                if self._process.returncode is not None:
                    raise RuntimeError(f"sidecar: expected it to be ready, it ended: {self._log_tail()}")
                await asyncio.sleep(_POLL_S)

    async def kill(self) -> None:
        """As if the power went."""
        assert self._process is not None, "the sidecar has not been started"
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None:
            await _end(self._process)

    async def metrics(self) -> dict[str, float]:
        """Metrics without labels."""
        text = (await self.get("/metrics")).decode()
        found = re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    async def get(self, path: str) -> bytes:
        return await asyncio.to_thread(_get, f"http://{self.http}{path}")

    def _log_tail(self) -> str:
        return (self._folder / "sidecar.log").read_text()[-2000:]


class App:
    """A process with a client of workflows in it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.version = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, **command: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def hear(self, event: str) -> dict[str, Any]:
        """The next event, which must be the named one."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"app: expected {event!r}, it ended: {self._log.read_text()[-3000:]}")
        heard: dict[str, Any] = json.loads(line)
        if heard["event"] != event:
            raise RuntimeError(f"app: expected {event!r}, found {heard}")
        return heard

    async def end(self) -> None:
        await _end(self._process)


@asynccontextmanager
async def app(client: str, address: str, folder: Path, *, name: str) -> AsyncGenerator[App]:
    log = folder / f"{name}.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            python_of(client),
            *("-m", "bench.app", client, address),
            env={**os.environ, "PYTHONPATH": str(ROOT), "GRPC_VERBOSITY": "ERROR"},
            cwd=folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=2**26,
            start_new_session=True,
        )
    started = App(process, log)
    try:
        started.version = (await started.hear("here"))["version"]
        yield started
    finally:
        await started.end()


def python_of(client: str) -> str:
    """Our own client runs here, foreign ones in their own environments."""
    if client == "native":
        return sys.executable
    python = ROOT / ".venv-clients" / client / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"client {client}: expected its environment at {python}, found none; run make client-envs")
    return str(python)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def rss_mb(pid: int) -> float:
    return procfs.rss_bytes(pid) / 2**20


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_ready(http: str) -> bool:
    try:
        _get(f"http://{http}/v1.0/healthz")
    except OSError:
        return False
    return True


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body
