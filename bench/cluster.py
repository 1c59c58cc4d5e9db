"""Measures a cluster: how long it takes to recover under load, and what a step costs beside a single sidecar.

    python -m bench.cluster [SCENARIO ...] [--quick | --full] [--json FILE]

Everything runs on this machine: etcd, Valkey, three placements, three sidecars, and the apps in this process. Prints a
table and keeps everything as JSON under bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import pace, procfs
from bench.fleet import Fleet, Shape, fleet
from bench.results import Row, percentile, save, table

RESULTS = Path(__file__).parent / "results"
LANES = 16
LANES_OF_ONE = 32  # per sidecar, to compare what a step costs: each has as much in flight as the single one
LANES_OF_BUSY = 128  # the same where batches are as large as they get: what a step costs when processors are the limit
RATE_OF_ONE = 100.0  # starts a second per sidecar, at random moments: about half of what it could do here
CALM_S = 1.5
STEPS = 5
SCENARIO_S = 300.0
FULL_RUNS = 5
Values = dict[str, float]
Scenario = Callable[[bool], Awaitable[Values]]


@asynccontextmanager
async def _under_load(made: Fleet, clients: int, lanes: int = LANES, *, rate: float = 0.0) -> AsyncGenerator[None]:
    """Load from clients of the first sidecars, which stay; calm at first. With a rate the load is open."""
    stop = asyncio.Event()
    made.clients = made.clients[:clients]
    async with asyncio.TaskGroup() as group:
        load = made.arriving(rate, until=stop, count=STEPS) if rate else made.loaded(lanes, until=stop, count=STEPS)
        group.create_task(load)
        await asyncio.sleep(CALM_S)
        try:
            yield
        finally:
            stop.set()


async def _after(made: Fleet, moment: float) -> Values:
    """Until all that was open at that moment has ended, and what clients saw of it."""
    waiting = made.open_at(moment)
    await made.all_ended(waiting)
    return {
        "all_on_ms": (max((made.ended[each] for each in waiting), default=moment) - moment) * 1e3,
        "usual_worst_ms": made.worst(moment - 1.0, moment) * 1e3,
        "errors": float(len(made.errors)),
    }


async def _lose(shape: Shape, number: signal.Signals) -> Values:
    """The third sidecar dies, or stands still; clients are at the others."""
    async with fleet(shape) as made, _under_load(made, 2):
        moment = time.monotonic()
        made.signal("sidecar-2", number)
        owned = await made.owned(0, 1)
        values = {"owned_ms": (owned - moment) * 1e3, **await _after(made, moment)}
        if number is signal.SIGSTOP:
            made.signal("sidecar-2", signal.SIGCONT)
            await made.owned(0, 1, 2)
            await asyncio.sleep(1.0)
            values["refused"] = await made.metric(2, "holdfast_partitions_lost_total")
        return values


async def kill_3s(_: bool) -> Values:
    return await _lose(Shape(), signal.SIGKILL)


async def kill_1s(_: bool) -> Values:
    return await _lose(Shape(lease="1s"), signal.SIGKILL)


async def leave(_: bool) -> Values:
    return await _lose(Shape(), signal.SIGTERM)


async def stop(_: bool) -> Values:
    return await _lose(Shape(), signal.SIGSTOP)


async def leader(_: bool) -> Values:
    """A sidecar gets its first worker just after the leader has died."""
    async with fleet(Shape(workers=2)) as made, _under_load(made, 2):
        moment = time.monotonic()
        made.signal(await made.leader(), signal.SIGKILL)
        await made.serve(2)
        joined = await made.owned(0, 1, 2)
        await asyncio.sleep(1.0)
        values = await _after(made, moment)
        return {"owned_ms": (joined - moment) * 1e3, **values, "worst_ms": made.worst(moment, time.monotonic()) * 1e3}


async def control(is_quick: bool) -> Values:
    """All placements and etcd are away; the rate is that of the last half of that time."""
    seconds = 8.0 if is_quick else 60.0
    async with fleet(Shape()) as made, _under_load(made, 3):
        moment = time.monotonic()
        usual = made.rate(moment - 1.0, moment)
        for one in [*made.named("placement"), *made.named("etcd")]:
            made.signal(one.part.name, signal.SIGKILL)
        await asyncio.sleep(seconds)
        now = time.monotonic()
        values = {"per_s": made.rate(now - seconds / 2, now), "usual_per_s": usual, **await _after(made, moment)}
        for one in [*made.named("etcd"), *made.named("placement")]:
            await made.start_again(one.part.name)
        await made.owned(0, 1, 2)
        return {**values, "worst_ms": made.worst(moment, time.monotonic()) * 1e3}


async def join(_: bool) -> Values:
    """The fourth sidecar gets its first worker."""
    async with fleet(Shape(sidecars=4)) as made, _under_load(made, 3):
        moment = time.monotonic()
        await made.serve(3)
        owned = await made.owned(0, 1, 2, 3)
        share = await made.metric(3, "holdfast_partitions_owned")
        return {"owned_ms": (owned - moment) * 1e3, "moved_%": share / 1024 * 100, **await _after(made, moment)}


def _cost(shape: Shape, *, lanes: int = 0, rate: float = 0.0) -> Scenario:
    """`lanes` workflows at a time per sidecar, or so many starts a second, each client waiting at its own; what all
    sidecars' processors did, by all steps."""

    async def measured(is_quick: bool) -> Values:
        seconds = 4.0 if is_quick else 10.0
        several = shape.workers
        async with fleet(shape) as made, _under_load(made, several, lanes * several, rate=rate * several):
            begin, before = time.monotonic(), await _counted(made)
            await asyncio.sleep(seconds)
            end, after = time.monotonic(), await _counted(made)
        spent = {key: after[key] - before[key] for key in after}
        took = [at - made.began[each] for each, at in made.ended.items() if begin <= at <= end]
        number = len(took) * STEPS
        return {
            "per_s": len(took) / (end - begin),
            "p50_ms": percentile(took, 0.5) * 1e3,
            "p99_ms": percentile(took, 0.99) * 1e3,
            "sidecar_us_step": spent["sidecar"] / number * 1e6,
            "store_us_step": spent["store"] / number * 1e6,
            "commits": spent["commits"] / len(took),
            "per_write": spent["commits"] / spent["writes"],
            "errors": float(len(made.errors)),
        }

    return measured


async def _counted(made: Fleet) -> Values:
    """So far, of all sidecars together."""
    sidecars = range(made.shape.sidecars)
    return {
        "commits": sum([await made.metric(each, "holdfast_commits_total") for each in sidecars]),
        "writes": sum([await made.metric(each, "holdfast_commit_groups_total") for each in sidecars]),
        "sidecar": made.cpu("sidecar"),
        "store": made.cpu("store"),
    }


SINGLE = "cost-single"
COSTS: Mapping[str, Shape] = {
    SINGLE: Shape(sidecars=1, alone=True, workers=1),
    "cost-3": Shape(),
    "cost-3-by-hash": Shape(activities="by-hash"),
    "cost-3-apart": Shape(alone=True),  # no cluster: what it costs that three share the processors of one
}

LOADS: Mapping[str, Callable[[Shape], Scenario]] = {  # by what a name ends in
    "": lambda shape: _cost(shape, lanes=LANES_OF_ONE),
    "-busy": lambda shape: _cost(shape, lanes=LANES_OF_BUSY),
    "-open": lambda shape: _cost(shape, rate=RATE_OF_ONE),
}

SCENARIOS: Mapping[str, Scenario] = {
    "kill-9-lease-3s": kill_3s,
    "kill-9-lease-1s": kill_1s,
    "planned-leave": leave,
    "stop-and-continue": stop,
    "leader-killed": leader,
    "control-plane-away": control,
    "fourth-joins": join,
    **{name + suffix: cost(shape) for suffix, cost in LOADS.items() for name, shape in COSTS.items()},
}


@dataclass
class _Found:
    """What the runs of a scenario gave; the last of them may have broken."""

    values: list[Values] = field(default_factory=list[Values])
    broken: str = ""

    def row(self, name: str) -> Row:
        if self.broken:
            return Row("cluster", "native", f"{name} BROKEN", note=self.broken)
        middle = {key: median(each[key] for each in self.values) for key in self.values[0]}
        return Row("cluster", "native", name, middle, note=f"{len(self.values)} runs" if len(self.values) > 1 else "")


async def measure(name: str, found: _Found, *, is_quick: bool) -> None:
    """Runs a scenario once; one that breaks or takes too long says so."""
    try:
        async with asyncio.timeout(SCENARIO_S):
            found.values.append(await SCENARIOS[name](is_quick))
    except Exception as error:  # noqa: BLE001 - the other scenarios shall run, and the report says what broke
        found.broken = "".join(traceback.format_exception(error))[-500:]
        print(f"{name} BROKEN", file=sys.stderr)
        return
    print(table([Row("cluster", "native", name, found.values[-1])]).splitlines()[1], file=sys.stderr)


async def main(arguments: Sequence[str]) -> int:
    given = _options(arguments)
    moment = datetime.now(UTC)
    speed = await pace.pace()
    machine = {**procfs.machine(), **speed}
    runs = FULL_RUNS if given.full else 1
    names = list(dict.fromkeys(given.scenarios or SCENARIOS))
    found = {name: _Found() for name in names}
    for number in range(runs):  # in rounds, so that what is compared ran within a minute or two
        print(f"round {number + 1} of {runs}", file=sys.stderr)
        for name in names:
            if not found[name].broken:
                await measure(name, found[name], is_quick=given.quick)
    rows = [one.row(name) for name, one in found.items()]
    print(table(rows))
    print(f"\n{pace.told(speed)}")
    costs = {name: [each.get("sidecar_us_step", 0.0) for each in one.values] for name, one in found.items()}
    for line in _compared(costs):
        print(line)
    path = given.json or RESULTS / f"cluster-{moment:%Y%m%d-%H%M%S}.json"
    facts = {"at": moment.isoformat(), "machine": machine, "runs": runs, "quick": given.quick}
    versions = {"holdfast": version("holdfast"), "python": sys.version.split()[0], "grpcio": version("grpcio")}
    save(path, facts={**facts, "versions": versions, "costs": costs}, rows=rows)
    print(f"\nkept in {path}")
    return int(any(one.broken for one in found.values()))


def _compared(costs: Mapping[str, Sequence[float]]) -> list[str]:
    """Cluster and single sidecar, round by round: the machine's own speed changes between rounds."""
    lines = list[str]()
    for suffix in LOADS:
        single = costs.get(SINGLE + suffix, ())
        for name in [name for name in COSTS if name != SINGLE]:
            shares = [alone / cost for alone, cost in zip(single, costs.get(name + suffix, ()), strict=False) if cost]
            if shares:
                each = "" if len(shares) == 1 else f" ({', '.join(f'{share:.0%}' for share in shares)})"
                lines.append(f"{name}{suffix}: {median(shares):.0%} of a single sidecar's steps per CPU second{each}")
    return lines


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description="Measure a cluster on this machine.")
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], help="all when none is named")
    parser.add_argument("--quick", action="store_true", help="shorter, to see that it works")
    parser.add_argument("--full", action="store_true", help="medians of five runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
