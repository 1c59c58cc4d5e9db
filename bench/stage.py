"""A sidecar and apps, ready to be loaded, and what a load cost them."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import procfs
from bench.processes import App, Sidecar, app, rss_mb
from bench.results import Row, percentile

DRIVES_ITSELF = frozenset({"native"})  # worker and load in one process: an app that starts its own workflows
LOAD_S = 900.0
SETTLE_S = 0.3


@dataclass(frozen=True)
class Plan:
    """What is asked for on the command line."""

    client: str
    store: str = ""
    is_quick: bool = False
    profile: Path | None = None
    seed: int = 0
    say: Callable[[str], None] = print
    versions: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Costs:
    """Between two moments."""

    sidecar_cpu: float = 0.0
    app_cpu: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict[str, float])


class Stage:
    def __init__(self, plan: Plan, sidecar: Sidecar, worker: App, driver: App) -> None:
        self.plan = plan
        self.sidecar = sidecar
        self.worker = worker
        self.driver = driver
        self._loads = 0

    async def costs(self) -> Costs:
        """What the processes have used so far."""
        return Costs(
            sidecar_cpu=procfs.cpu_seconds(self.sidecar.pid),
            app_cpu=procfs.cpu_seconds(self.worker.pid),
            metrics=await self.sidecar.metrics(),
        )

    async def serve(self, **settings: int) -> None:
        """Lets the worker run workflows; the settings are those of our own worker."""
        self.worker.tell(do="serve", **settings)
        await self.worker.hear("serving")
        await workers_connected(self.sidecar)

    async def begin(self, kind: str, **options: object) -> str:
        """Starts a load and waits until the part that counts begins; the prefix of its instances' ids."""
        self._loads += 1
        prefix = f"{self.plan.seed}-{self._loads}"
        self.driver.tell(do="load", kind=kind, prefix=prefix, options=options)
        await self.driver.hear("measuring")
        return prefix

    async def finished(self) -> dict[str, Any]:
        """What a load took of which nothing else is of interest."""
        await self.driver.hear("over")
        return await self.driver.hear("measured")

    async def measured(self, *, steps: int = 0) -> tuple[dict[str, float], list[float]]:
        """The rest of a load: what it took, and the times of each."""
        before = await self.costs()
        async with asyncio.timeout(LOAD_S):
            await self.driver.hear("over")
            after = await self.costs()
            heard = await self.driver.hear("measured")
        each: list[float] = heard["each"]
        number = len(each)
        values = {"per_s": number / heard["seconds"], "number": float(number), **heard["numbers"]}
        values |= {"p50_ms": percentile(each, 0.5) * 1e3, "p99_ms": percentile(each, 0.99) * 1e3}
        values |= per_instance(before, after, number=number, steps=steps)
        values["rss_mb"] = rss_mb(self.sidecar.pid)
        if steps:
            values["steps_per_s"] = values["per_s"] * steps
        return values, each

    async def load(self, scenario: str, case: str, kind: str, *, steps: int = 0, **options: object) -> Row:
        """One load from its beginning to its end."""
        self.plan.say(f"  {scenario} {case}")
        await self.begin(kind, **options)
        values, _ = await self.measured(steps=steps)
        await asyncio.sleep(SETTLE_S)
        return Row(scenario, self.plan.client, case, values)


def per_instance(before: Costs, after: Costs, *, number: int, steps: int = 0) -> dict[str, float]:
    """Costs divided by instances; `per_write` is how many commits went out together."""
    grew = {name: value - before.metrics.get(name, 0.0) for name, value in after.metrics.items()}
    commits, groups = grew["holdfast_commits_total"], grew["holdfast_commit_groups_total"]
    sidecar = (after.sidecar_cpu - before.sidecar_cpu) * 1e6
    values = {"commits": commits, "sidecar_us": sidecar, "app_us": (after.app_cpu - before.app_cpu) * 1e6}
    if number:
        values = {name: value / number for name, value in values.items()}
        if steps:
            values["sidecar_us_step"] = values["sidecar_us"] / steps
    if groups:
        values["per_write"] = commits / groups
    return values


@asynccontextmanager
async def sidecar_alone(plan: Plan) -> AsyncGenerator[tuple[Sidecar, Path]]:
    """A running sidecar with an empty store, and the folder of its logs."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        sidecar = Sidecar(folder, store=plan.store, profile=plan.profile)
        await sidecar.start()
        try:
            yield sidecar, folder
        finally:
            await sidecar.stop()


@asynccontextmanager
async def staged(plan: Plan) -> AsyncGenerator[Stage]:
    """A sidecar with a worker connected and a driver beside it."""
    async with AsyncExitStack() as stack:
        sidecar, folder = await stack.enter_async_context(sidecar_alone(plan))
        yield await join(plan, sidecar, folder, stack)


async def join(plan: Plan, sidecar: Sidecar, folder: Path, stack: AsyncExitStack, *, serves: bool = True) -> Stage:
    """Brings apps to a sidecar that runs; without `serves` nobody runs the workflows."""
    worker = await stack.enter_async_context(app(plan.client, sidecar.grpc, folder, name="worker"))
    plan.versions[plan.client] = worker.version
    driver = worker
    if plan.client not in DRIVES_ITSELF:
        driver = await stack.enter_async_context(app(plan.client, sidecar.grpc, folder, name="driver"))
    stage = Stage(plan, sidecar, worker, driver)
    if serves:
        await stage.serve()
    return stage


async def workers_connected(sidecar: Sidecar) -> None:
    deadline = time.monotonic() + 60
    while not (await sidecar.metrics()).get("holdfast_workers"):
        if time.monotonic() > deadline:
            raise RuntimeError("worker: expected it to connect within 60 s, it did not; look at its log")
        await asyncio.sleep(0.01)


async def are_idle(sidecar: Sidecar, *, seconds: float = 300) -> None:
    """Until nothing more is committed."""
    async with asyncio.timeout(seconds):
        last = -1.0
        while (now := (await sidecar.metrics())["holdfast_commits_total"]) != last:
            last = now
            await asyncio.sleep(1)
