"""A cluster on this machine to be measured: the same processes that `holdfast cluster` starts, and apps inside ours."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import holdfast
from bench import procfs
from holdfast.client import Client
from holdfast.errors import HoldfastError
from holdfast.worker import Worker
from holdfast_cli.cluster import servers
from holdfast_cli.cluster.plan import HOST, Part, Wanted, parts
from holdfast_cli.cluster.run import Running

PARTITIONS = 1024
SEED = 1
LIMIT_S = 60.0
_POLL_S = 0.005


@holdfast.activity
async def nothing(number: int) -> int:
    return number


@holdfast.workflow
async def steps(ctx: holdfast.Context, count: int) -> int:
    for number in range(count):
        await ctx.call(nothing, number)
    return count


@dataclass(frozen=True)
class Shape:
    sidecars: int = 3
    placements: int = 3
    etcds: int = 1
    lease: str = "3s"
    activities: str = "auto"
    alone: bool = False  # no placement: each sidecar owns everything, in a database of its own of the same store
    workers: int = 3  # how many of the sidecars have one at first


@dataclass
class Fleet:
    """`began` and `ended` hold when each workflow was started and when its end was known, on the monotonic clock."""

    shape: Shape
    wanted: Wanted
    running: dict[str, Running]
    stack: AsyncExitStack
    clients: list[Client] = field(default_factory=list[Client])
    began: dict[str, float] = field(default_factory=dict[str, float])
    ended: dict[str, float] = field(default_factory=dict[str, float])
    errors: list[str] = field(default_factory=list[str])
    _numbers: int = 0

    # -- processes -------------------------------------------------------------------------------------------------

    def named(self, kind: str) -> list[Running]:
        return [one for name, one in self.running.items() if name.startswith(kind)]

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self.running[name].pid, number)

    async def start_again(self, name: str) -> None:
        await self.running[name].start()

    def cpu(self, kind: str) -> float:
        """Seconds of all processes of that kind."""
        return sum(procfs.cpu_seconds(one.pid) for one in self.named(kind))

    async def metric(self, sidecar: int, name: str) -> float:
        """0 while it does not answer."""
        url = f"http://{HOST}:{self.wanted.http_base + sidecar}/metrics"
        found = re.search(rf"^{name} (\S+)$", await asyncio.to_thread(_get, url), re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def owned(self, *sidecars: int) -> float:
        """Until these have fenced all partitions; the moment."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                shares = [await self.metric(each, "holdfast_partitions_owned") for each in sidecars]
                if sum(shares) == PARTITIONS * (len(sidecars) if self.shape.alone else 1) and all(shares):
                    return time.monotonic()
                await asyncio.sleep(_POLL_S)

    async def leader(self) -> str:
        for number in range(self.shape.placements):
            url = f"http://{HOST}:{self.wanted.page_base + number}/metrics"
            if "holdfast_placement_is_leader 1.0" in await asyncio.to_thread(_get, url):
                return f"placement-{number}"
        raise RuntimeError("placement: expected a leading replica, found none")

    # -- apps and load ---------------------------------------------------------------------------------------------

    async def serve(self, sidecar: int) -> None:
        """Connects a worker to one more sidecar."""
        worker = Worker(steps, nothing, address=f"{HOST}:{self.wanted.grpc_base + sidecar}")
        await self.stack.enter_async_context(worker)

    async def loaded(self, lanes: int, *, until: asyncio.Event, count: int = 5) -> None:
        """So many workflows at a time, until the event; what was begun then is waited for."""

        async def lane(client: Client) -> None:
            while not until.is_set():
                self._numbers += 1
                await self._one(client, f"w{self._numbers}", count)

        async with asyncio.TaskGroup() as group:
            for number in range(lanes):
                group.create_task(lane(self.clients[number % len(self.clients)]))

    async def arriving(self, rate: float, *, until: asyncio.Event, count: int = 5) -> None:
        """So many starts a second whatever is open, at random moments and clients, until the event; what was begun
        then is waited for."""
        chance, due = random.Random(SEED), time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not until.is_set():
                self._numbers += 1
                group.create_task(self._one(chance.choice(self.clients), f"w{self._numbers}", count))
                due += chance.expovariate(rate)
                await asyncio.sleep(due - time.monotonic())

    async def _one(self, client: Client, instance_id: str, count: int) -> None:
        self.began[instance_id] = time.monotonic()
        try:
            await client.run(steps, count, id=instance_id)
        except HoldfastError as error:
            self.errors.append(f"{type(error).__name__}: {error}"[:200])
        self.ended[instance_id] = time.monotonic()

    def open_at(self, moment: float) -> list[str]:
        return [each for each, at in self.began.items() if at <= moment < self.ended.get(each, float("inf"))]

    async def all_ended(self, instances: Iterable[str]) -> None:
        async with asyncio.timeout(LIMIT_S):
            for each in instances:
                while each not in self.ended:  # noqa: ASYNC110 - measured to the hundredth of a second
                    await asyncio.sleep(_POLL_S)

    def worst(self, begin: float, end: float) -> float:
        """The longest that a workflow took which ended in that time, seconds."""
        took = [at - self.began[each] for each, at in self.ended.items() if begin <= at <= end]
        return max(took, default=0.0)

    def rate(self, begin: float, end: float) -> float:
        return sum(begin <= at <= end for at in self.ended.values()) / (end - begin)


@asynccontextmanager
async def fleet(shape: Shape) -> AsyncGenerator[Fleet]:
    """All processes up, workers connected, every partition owned."""
    base = random.randrange(20_000, 31_000, 100)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-cluster-") as folder:
        wanted = Wanted(
            folder=Path(folder),
            sidecars=shape.sidecars,
            placements=shape.placements,
            etcds=shape.etcds,
            lease=shape.lease,
            partitions=PARTITIONS,
            grpc_base=base,
            http_base=base + 10,
            peer_base=base + 20,
            placement_base=base + 30,
            page_base=base + 40,
            etcd_base=base + 50,
            redis_port=base + 60,
        )
        plan = [_shaped(part, shape) for part in parts(wanted, etcd=servers.etcd(), redis=servers.redis())]
        if shape.alone:
            plan = [part for part in plan if part.name.startswith(("store", "sidecar"))]
        (wanted.folder / "store").mkdir()
        running = {part.name: Running(part, wanted.folder) for part in plan}
        try:
            await _start(running.values())
            async with AsyncExitStack() as stack:
                made = Fleet(shape, wanted, running, stack)
                await _connect(made)
                yield made
        finally:
            for one in reversed(running.values()):
                await one.stop()


async def _start(running: Iterable[Running]) -> None:
    async with asyncio.TaskGroup() as group:  # members of one etcd wait for each other
        for one in running:
            if one.part.name.startswith(("etcd", "store")):
                group.create_task(one.start())
    for one in running:
        if not one.part.name.startswith(("etcd", "store")):
            await one.start()


async def _connect(made: Fleet) -> None:
    for sidecar in range(made.shape.workers):
        await made.serve(sidecar)
    for sidecar in range(made.shape.workers):
        address = f"{HOST}:{made.wanted.grpc_base + sidecar}"
        made.clients.append(await made.stack.enter_async_context(Client(address)))
    await made.owned(*range(made.shape.workers))


def _shaped(part: Part, shape: Shape) -> Part:
    """A warm machine writes no logs that nobody reads."""
    if not part.name.startswith("sidecar"):
        return part
    changed = {"HOLDFAST_LOG_LEVEL": "warning", "HOLDFAST_PLACEMENT_ACTIVITIES": shape.activities}
    if shape.alone:
        changed["HOLDFAST_PLACEMENT_ADDRESSES"] = ""
        changed["HOLDFAST_STORE"] = part.environ["HOLDFAST_STORE"].removesuffix("0") + part.name.removeprefix(
            "sidecar-"
        )
    return replace(part, environ={**part.environ, **changed})


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bytes(answer.read()).decode()
    except OSError:
        return ""
