"""What is measured. Each scenario gives rows; each has a bound in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from urllib.parse import urlencode

from bench import procfs
from bench.footprint import imports, memory
from bench.processes import Sidecar, rss_mb
from bench.results import Row, percentile
from bench.stage import Plan, Stage, are_idle, join, per_instance, sidecar_alone, staged

Scenario = Callable[[Plan], AsyncIterator[Row]]

HELLO_CASES: Mapping[str, tuple[tuple[int, int], ...]] = {  # (activities, in flight)
    "native": ((1, 1), (5, 1), (5, 16), (5, 64), (5, 256), (1, 64), (9, 64)),
    "durabletask": tuple((steps, many) for steps in (1, 5, 9) for many in (1, 32, 128)),
}
RATES = {"native": (500, 1000, 1500), "durabletask": (50, 100, 150)}
IDLE = {"native": 100_000, "durabletask": 20_000}  # each has a first turn, which costs a foreign worker ten times more
GROWN_WIDTHS = (8, 985)  # activities at once before the part that counts: histories of about 20 and 2,000 events


async def hello(plan: Plan) -> AsyncIterator[Row]:
    """Sequences of activities that do nothing, so many workflows at a time."""
    warmup, seconds = (1.0, 3.0) if plan.is_quick else (3.0, 10.0)
    async with staged(plan) as stage:
        for steps, in_flight in HELLO_CASES[plan.client]:
            longer = 2 if in_flight > 100 else 1  # many at a time take longer each, and the ends of the part count less
            options = {"in_flight": in_flight, "warmup": warmup * longer, "seconds": seconds * longer}
            yield await stage.load(
                "hello", f"{steps} at {in_flight}", "closed", steps=steps, workflow="hello", value=steps, **options
            )
        if plan.client == "native":
            case, options = "5 at 64, start apart", {"in_flight": 64, "warmup": warmup, "seconds": seconds}
            yield await stage.load(
                "hello", case, "closed", steps=5, workflow="hello", value=5, is_apart=True, **options
            )


async def open_load(plan: Plan) -> AsyncIterator[Row]:
    """HelloSequence5 started at a rate, whatever ends."""
    warmup, seconds = (1.0, 3.0) if plan.is_quick else (3.0, 10.0)
    async with staged(plan) as stage:
        for rate in RATES[plan.client]:
            options = {"rate": rate, "warmup": warmup, "seconds": seconds}
            yield await stage.load("open", f"5 at {rate}/s", "open", steps=5, workflow="hello", value=5, **options)


async def fan(plan: Plan) -> AsyncIterator[Row]:
    """Activities at once: one workflow of a thousand, fifty of a hundred."""
    rounds = 3 if plan.is_quick else 10
    async with staged(plan) as stage:
        await stage.load("fan", "warm up", "batch", workflow="fan", value=100, number=5, in_flight=5)
        for number, width in ((1, 1000), (50, 100)):
            yield await stage.load(
                "fan",
                f"{number} x {width}",
                "batch",
                steps=width,
                workflow="fan",
                value=width,
                number=number * rounds,
                in_flight=number,
            )


async def burst(plan: Plan) -> AsyncIterator[Row]:
    """Starts as fast as they are acknowledged; the worker runs them meanwhile, or there is none yet."""
    number = 2_000 if plan.is_quick else 20_000
    for case in ("with a worker", "without a worker"):
        async with AsyncExitStack() as stack:
            sidecar, folder = await stack.enter_async_context(sidecar_alone(plan))
            stage = await join(plan, sidecar, folder, stack, serves=case == "with a worker")
            yield await stage.load("burst", case, "burst", workflow="ends", value=1, number=number, in_flight=128)


async def sequential(plan: Plan) -> AsyncIterator[Row]:
    """One workflow with thousands of activities: the last thousand against the first."""
    number = 2_000 if plan.is_quick or plan.client != "native" else 10_000
    part = number // 10
    marks = [10, part + 10, number - part - 10, number - 10]
    async with staged(plan) as stage:
        plan.say(f"  sequential {number}")
        stage.worker.tell(do="mark", numbers=marks)
        await stage.worker.hear("marking")
        await stage.begin("batch", workflow="hello", value=number, number=1, in_flight=1)
        moments = [await _moment(stage) for _ in marks]
        await stage.finished()
        for name, (first, last) in {"first": moments[:2], "last": moments[2:]}.items():
            values = {key: (last[key] - first[key]) / part for key in ("sidecar_us", "app_us")}
            values["step_us"] = (last["at"] - first["at"]) / part * 1e6
            yield Row("sequential", plan.client, f"{name} {part} of {number}", values)


async def _moment(stage: Stage) -> dict[str, float]:
    heard = await stage.worker.hear("mark")
    return {
        "at": heard["at"],
        "sidecar_us": procfs.cpu_seconds(stage.sidecar.pid) * 1e6,
        "app_us": procfs.cpu_seconds(stage.worker.pid) * 1e6,
    }


async def history(plan: Plan) -> AsyncIterator[Row]:
    """What a turn costs with little and with much behind it."""
    number, steps = (10, 10) if plan.is_quick else (100, 20) if plan.client == "native" else (20, 20)
    async with staged(plan) as stage:
        for width in GROWN_WIDTHS:
            case = f"at {2 * width + 4} events"
            plan.say(f"  history {case}: growing")
            prefix = await stage.begin("burst", workflow="grown", value=[width, steps], number=number, in_flight=10)
            await stage.finished()
            ids = [f"{prefix}-{place}" for place in range(number)]
            await are_idle(stage.sidecar)
            plan.say(f"  history {case}: measuring")
            before = await stage.costs()
            await stage.begin("events", ids=ids)
            values, _ = await stage.measured()
            turns = (await stage.costs()).metrics["holdfast_turns_total"] - before.metrics["holdfast_turns_total"]
            costs = per_instance(before, await stage.costs(), number=round(turns))
            values = {"p50_ms": values["p50_ms"], "rss_mb": values["rss_mb"], "turns": turns}
            values |= {"sidecar_us_turn": costs["sidecar_us"], "app_us_turn": costs["app_us"]}
            yield Row("history", plan.client, case, values)


async def idle(plan: Plan) -> AsyncIterator[Row]:
    """Many instances that wait for an event: memory, listing, and the way back after a crash."""
    number = 5_000 if plan.is_quick else IDLE[plan.client]
    async with AsyncExitStack() as stack:
        sidecar, folder = await stack.enter_async_context(sidecar_alone(plan))
        stage = await join(plan, sidecar, folder, stack)
        await stage.load("idle", "warm up", "batch", workflow="hello", value=5, number=200, in_flight=32)
        empty = rss_mb(sidecar.pid)
        row = await stage.load(
            "idle", f"{number} started", "burst", workflow="waits", value=1, number=number, in_flight=128
        )
        await are_idle(sidecar, seconds=600)
        row.values |= {"rss_grew_mb": rss_mb(sidecar.pid) - empty}
        yield row
        yield Row("idle", plan.client, "first page of a list", await _first_pages(sidecar))
        plan.say("  idle kill -9")
        await stage.worker.end()
        await sidecar.kill()
        began = time.monotonic()
        await sidecar.start()
        ready = time.monotonic() - began
        again = await join(plan, sidecar, folder, stack)
        joined = time.monotonic()
        await again.begin("batch", workflow="hello", value=1, number=1, in_flight=1)
        await again.finished()
        values = {"ready_s": ready, "first_s": ready + time.monotonic() - joined, "rss_mb": rss_mb(sidecar.pid)}
        yield Row("idle", plan.client, "after kill -9", values, note="first_s: spawn to ready, and a new workflow")


async def _first_pages(sidecar: Sidecar) -> dict[str, float]:
    """A page of a hundred with a filter, asked for cold and warm."""
    took: list[float] = []
    query = urlencode({"status": "RUNNING", "name": "waits", "limit": 100})
    for _ in range(20):
        began = time.perf_counter()
        page = json.loads(await sidecar.get(f"/api/v1/instances?{query}"))
        took.append((time.perf_counter() - began) * 1e3)
        if len(page["instances"]) != 100:
            raise RuntimeError(f"list: expected 100 instances on a page, found {len(page['instances'])}")
    return {"first_ms": took[0], "p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99)}


async def recovery(plan: Plan) -> AsyncIterator[Row]:
    """kill -9 under load: how long nothing ends, and that everything does in the end."""
    calm, seconds = (2.0, 12.0) if plan.is_quick else (4.0, 25.0)
    async with staged(plan) as stage:
        plan.say("  recovery: load")
        await stage.begin("stubborn", workflow="hello", value=5, in_flight=32, seconds=seconds)
        await asyncio.sleep(calm)
        killed = time.monotonic()
        await stage.sidecar.kill()
        plan.say("  recovery: killed")
        await stage.sidecar.start()
        ready = time.monotonic()
        heard = await stage.finished()
        ended = sorted(heard["each"])
        before = [at for at in ended if at < killed]
        after = [at for at in ended if at > ready]  # an answer may still be read when its sender is dead
        usual = len(before) / calm
        values = {
            "ready_s": ready - killed,
            "first_s": after[0] - killed if after else float("inf"),
            "usual_s": usual_again(after, usual) - killed,
            "per_s": usual,
            "number": float(len(ended)),
            **heard["numbers"],
        }
        yield Row("recovery", plan.client, "kill -9 at 32", values, note="usual_s: until 80 % of the rate before")


def usual_again(ended: list[float], rate: float) -> float:
    """The first moment after which a second brings 80 % of what was usual."""
    for place, at in enumerate(ended):
        later = place + round(rate * 0.8) - 1
        if later < len(ended) and ended[later] - at <= 1.0:
            return at
    return float("inf")


SCENARIOS: Mapping[str, Scenario] = {
    "hello": hello,
    "open": open_load,
    "fan": fan,
    "burst": burst,
    "sequential": sequential,
    "history": history,
    "recovery": recovery,
    "idle": idle,
    "memory": memory,
    "import": imports,
}
