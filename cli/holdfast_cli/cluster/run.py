"""Starts the processes of a local cluster, tells where they are, ends them in reverse."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from holdfast_cli.cluster import servers
from holdfast_cli.cluster.plan import HOST, Part, Wanted, parts, store_of
from holdfast_kit.serve import ExitCode, Lifetime, serve

START_LIMIT: Final = 60.0  # seconds for one process to answer on its port
STOP_LIMIT: Final = 15.0
POLL: Final = 0.05


class NotStarted(Exception):
    """A process ended, or did not answer, while it was being started."""


class Running:
    """A process with its log."""

    def __init__(self, part: Part, folder: Path) -> None:
        self.part = part
        self.log = folder / f"{part.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.part.command,
                stdout=log,
                stderr=log,
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, **self.part.environ},
                start_new_session=True,  # Ctrl-C is for us; we end them in our order
            )
        try:
            async with asyncio.timeout(START_LIMIT):
                await self._answers()
        except TimeoutError:
            raise NotStarted(f"{self.part.name}: no answer on port {self.part.port}; see {self.log}") from None

    async def _answers(self) -> None:
        assert self._process is not None
        while True:
            if self._process.returncode is not None:
                raise NotStarted(f"{self.part.name} ended with code {self._process.returncode}; see {self.log}")
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self.part.port)
                writer.close()
                return
            await asyncio.sleep(POLL)

    async def ended(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()


class LocalCluster:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.running: list[Running] = []

    async def run(self, lifetime: Lifetime) -> None:
        try:
            await self.start()
            self._tell()
            async with asyncio.TaskGroup() as group:
                watches = [group.create_task(self._watch(one, lifetime)) for one in self.running]
                await lifetime.stopping()
                for watch in watches:
                    watch.cancel()
        except (NotStarted, servers.MissingServer) as error:
            print(f"holdfast cluster: {error}")
            lifetime.exit_code = ExitCode.FAILED
        finally:
            await self.stop()

    async def start(self) -> None:
        wanted = self._wanted
        redis = None if wanted.store else servers.redis()
        plan = parts(wanted, etcd=servers.etcd(), redis=redis)
        (wanted.folder / "store").mkdir(parents=True, exist_ok=True)
        etcds, others = plan[: wanted.etcds], plan[wanted.etcds :]
        async with asyncio.TaskGroup() as group:  # members of one etcd wait for each other
            for part in etcds:
                group.create_task(self._start(part))
        for part in others:
            await self._start(part)

    async def _start(self, part: Part) -> None:
        one = Running(part, self._wanted.folder)
        self.running.append(one)
        await one.start()
        print(f"  {part.name:<12} port {part.port:<6} pid {one.pid:<8} {part.note}", flush=True)

    async def stop(self) -> None:
        for one in reversed(self.running):
            await one.stop()

    async def _watch(self, one: Running, lifetime: Lifetime) -> None:
        """A process may be killed to see what happens: the rest goes on."""
        code = await one.ended()
        if not lifetime.is_stopping:
            print(f"  {one.part.name} ended (code {code}); its log: {one.log}", flush=True)

    def _tell(self) -> None:
        wanted = self._wanted
        print(f"\nstore {store_of(wanted)}, logs in {wanted.folder}")
        print("Start workers with HOLDFAST_ADDRESS set to a sidecar's; kill any process to see what happens.")
        print("Ctrl-C ends the cluster.", flush=True)


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    folder = Path(options.dir or tempfile.mkdtemp(prefix="holdfast-cluster-"))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(
        folder=folder.resolve(),
        sidecars=options.sidecars,
        placements=options.placements,
        etcds=options.etcd,
        store=options.store,
        lease=options.lease,
        **{name: getattr(options, name) for name in _PORTS},
    )
    print(f"starting {wanted.etcds} etcd, {wanted.placements} placement, {wanted.sidecars} sidecar processes")
    limit = timedelta(seconds=STOP_LIMIT * (wanted.sidecars + wanted.placements + wanted.etcds + 1))
    return serve(LocalCluster(wanted).run, drain_limit=limit)


_PORTS: Final = {
    "grpc_base": (50001, "first sidecar's gRPC port"),
    "http_base": (3500, "first sidecar's HTTP port"),
    "peer_base": (50101, "first sidecar's port for peers"),
    "placement_base": (50201, "first placement's port"),
    "page_base": (8081, "first placement's page"),
    "etcd_base": (2379, "first etcd's port; each takes two"),
    "redis_port": (6379, "the store's port"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast cluster",
        description="Start a whole cluster on this machine: etcd, placement, a store and sidecars, each a process.",
    )
    parser.add_argument("--sidecars", type=_count, default=3, metavar="N", help="default: 3")
    parser.add_argument("--placements", type=_count, default=3, metavar="N", help="default: 3")
    parser.add_argument("--etcd", type=_count, default=1, metavar="N", help="members; 3 survive the loss of one")
    parser.add_argument("--store", default="", metavar="URL", help="use this store instead of a Valkey of our own")
    parser.add_argument("--lease", default="3s", help="silence after which a sidecar counts as dead (default: 3s)")
    parser.add_argument("--dir", default="", help="data and logs; default: a new temporary folder")
    for name, (port, text) in _PORTS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=_count, default=port, metavar="PORT", help=f"{text} ({port})"
        )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number
