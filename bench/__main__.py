"""Measures one sidecar process with a real client beside it.

    python -m bench [SCENARIO ...] [--client durabletask|native|all] [--store URL] [--quick] [--json FILE] [--profile]

Prints a table and keeps everything as JSON under bench/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import goals, pace, procfs
from bench.results import Row, save, table
from bench.scenarios import SCENARIOS
from bench.stage import Plan

RESULTS = Path(__file__).parent / "results"
CLIENTS = ("native", "durabletask")
SCENARIO_S = 1_800.0


async def measure(name: str, plan: Plan) -> list[Row]:
    """The rows of one scenario; one that breaks or takes too long says so in its last row. Each says how fast the
    machine was just before it and just after, as that changes within minutes where others work, too."""
    rows: list[Row] = []
    before = pace.python()
    print(f"{name}, {plan.client}", file=sys.stderr)
    try:
        async with asyncio.timeout(SCENARIO_S):
            async for row in SCENARIOS[name](plan):
                after = pace.python()
                row.values["python_x"] = (before + after) / 2
                before = after
                rows.append(row)
                print(table([row]).splitlines()[1], file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - the other scenarios shall run, and the report says what broke
        rows.append(Row(name, plan.client, "BROKEN", note=f"{type(error).__name__}: {error}"[:500]))
        print(rows[-1].note, file=sys.stderr)
    return rows


async def main(arguments: Sequence[str]) -> int:
    given = _options(arguments)
    moment = datetime.now(UTC)
    stamp = moment.strftime("%Y%m%d-%H%M%S")
    plan = Plan(
        client="",
        store=given.store,
        is_quick=given.quick,
        seed=given.seed if given.seed is not None else int(time.time()),
        say=lambda line: print(line, file=sys.stderr),
    )
    machine = procfs.machine()
    found = await pace.pace()
    rows: list[Row] = []
    for client in CLIENTS if given.client == "all" else (given.client,):
        for name in given.scenarios or SCENARIOS:
            profile = RESULTS / f"{stamp}-{name}-{client}.prof" if given.profile else None
            if profile:
                profile.parent.mkdir(exist_ok=True)
            rows += await measure(name, replace(plan, client=client, profile=profile))
    print(table(rows))
    print("", *goals.told(rows), "", pace.told(found), sep="\n")
    facts = {
        "at": moment.isoformat(),
        "machine": {**machine, **found},
        "versions": {
            "holdfast": version("holdfast"),
            "python": sys.version.split()[0],
            **_libraries(),
            **plan.versions,
        },
        "store": given.store or "sqlite",
        "seed": plan.seed,
        "quick": given.quick,
    }
    path = given.json or RESULTS / f"{stamp}.json"
    save(path, facts=facts, rows=rows)
    print(f"\nkept in {path}")
    return int(any(row.case == "BROKEN" for row in rows))


def _libraries() -> dict[str, str]:
    return {name: version(name) for name in ("grpcio", "protobuf", "apsw", "uvloop", "msgspec")}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure one sidecar with one app.")
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], help="all when none is named")
    parser.add_argument("--client", choices=[*CLIENTS, "all"], default="all")
    parser.add_argument("--store", default="", metavar="URL", help="the embedded one when left out")
    parser.add_argument("--quick", action="store_true", help="shorter and smaller, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, help="part of every instance's id, so it decides on the partitions")
    parser.add_argument("--profile", action="store_true", help="keep a profile of the sidecar, which makes it slower")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
