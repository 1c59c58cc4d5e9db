"""What one workflow costs between a decoded frame and the bytes that go out: the real host and store, no transport.

    python -m bench.micro_engine [--cases native:64,native:1,durabletask:32] [--repeat 5] [--profile FILE]

HelloSequence: start, five activities that do nothing in sequence, wait for the end. The app is played by code in the
same loop, whose own time is taken off. CPU is that of the whole process, the committing thread with it. Medians of
several runs; only adjacent runs compare.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from statistics import median
from typing import Protocol

import uvloop

from bench.apps import DurableTaskApp, NativeApp
from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.core.limits import DEFAULT_LIMITS
from holdfast_sidecar.stores.sqlite import SqliteStore
from holdfast_sidecar.telemetry.measured import MeasuredStore

PARTITIONS = 1024
WORKFLOWS = {1: 300, 32: 1500, 64: 3000}


class App(Protocol):
    """The other end. `seconds` is the CPU that it took itself."""

    seconds: float

    async def work(self) -> None:
        """Answers what comes, for ever."""
        ...

    async def run(self, instance_id: str) -> None:
        """Starts one workflow and waits for its end."""
        ...


APPS: Mapping[str, Callable[[Host, Engine], App]] = {"native": NativeApp, "durabletask": DurableTaskApp}


async def measured(make: Callable[[Host, Engine], App], directory: Path, *, in_flight: int, workflows: int) -> str:
    store, clock = MeasuredStore(SqliteStore(directory), SystemClock()), SystemClock()
    await store.open(namespace="bench", partitions=PARTITIONS)
    host = Host(store=store, clock=clock, ids=SystemIds(), partitions=PARTITIONS, limits=DEFAULT_LIMITS)
    host.router = router = LocalRouter(host)
    engine = Engine(
        router=router,
        store=store,
        clock=clock,
        ids=host.ids,
        limits=host.limits,
        partition_of=host.partition_of,
        check_room=host.check_room,
    )
    await host.acquire(range(PARTITIONS), 1)
    async with asyncio.TaskGroup() as group:
        loops = group.create_task(_loops(host))
        app = make(host, engine)
        worker = group.create_task(app.work())
        await _some(app, in_flight=in_flight, workflows=workflows // 5)
        line = await _line(host, app, in_flight=in_flight, workflows=workflows)
        worker.cancel()
        loops.cancel()
    await store.close()
    return line


async def _loops(host: Host) -> None:
    async with asyncio.TaskGroup() as group:
        await host.run(group)


async def _line(host: Host, app: App, *, in_flight: int, workflows: int) -> str:
    committer, own = host.committer, app.seconds
    commits, groups = committer.commits, committer.groups
    wall, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
    took = await _some(app, in_flight=in_flight, workflows=workflows)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu - (app.seconds - own)
    loop = time.thread_time() - loop - (app.seconds - own)
    commits, groups = committer.commits - commits, committer.groups - groups
    return (
        f"{cpu / workflows * 1e6:7.1f} {loop / workflows * 1e6:7.1f} {workflows / wall:7.0f} "
        f"{median(took) * 1e3:7.2f} {commits / workflows:6.2f} {commits / groups:6.1f}"
    )


async def _some(app: App, *, in_flight: int, workflows: int) -> list[float]:
    """So many at a time until so many have ended."""
    numbers, took = count(), list[float]()
    prefix = f"{time.monotonic_ns():x}"

    async def one_after_another() -> None:
        while (number := next(numbers)) < workflows:
            began = time.perf_counter()
            await app.run(f"{prefix}-{number}")
            took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_another())
    return took


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--cases", default="native:64,native:1,durabletask:32", help="client:in flight, with commas")
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--workflows", type=int, default=0, help="of one run; a fitting number when left out")
    options.add_argument("--directory", type=Path, help="where the data goes; a temporary one when left out")
    options.add_argument("--profile", help="file for the calls of the loop's thread")
    given = options.parse_args()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    profile = cProfile.Profile() if given.profile else None
    print("case                us CPU  of loop   per s  p50 ms commits per write")
    for case in given.cases.split(","):
        name, _, number = case.partition(":")
        in_flight = int(number)
        workflows = given.workflows or WORKFLOWS.get(in_flight, 3000)
        lines: list[str] = []
        for _ in range(given.repeat):
            with tempfile.TemporaryDirectory(dir=given.directory) as directory:
                if profile is not None:
                    profile.enable()
                case_of = measured(APPS[name], Path(directory), in_flight=in_flight, workflows=workflows)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    lines.append(runner.run(case_of))
                if profile is not None:
                    profile.disable()
        columns = [sorted(column) for column in zip(*(map(float, line.split()) for line in lines), strict=True)]
        middle = [column[len(column) // 2] for column in columns]
        cells = (7.1, 9.1, 8.0, 8.2, 8.2, 9.1)
        print(f"{case:18}" + "".join(f"{value:{cell}f}" for value, cell in zip(middle, cells, strict=True)), flush=True)
    if profile is not None:
        profile.dump_stats(given.profile)


if __name__ == "__main__":
    main()
