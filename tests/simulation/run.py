"""Many simulated worlds, each from its own seed: `python -m tests.simulation.run --seeds 1000 --start 0`.

Half of them are one sidecar with usurpers, half a cluster; `--kind` picks. They share the cores.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from functools import partial

from tests.simulation.cluster.world import ClusterWorld
from tests.simulation.disk import Violation
from tests.simulation.world import World

KINDS = {"host": World, "cluster": ClusterWorld}
CHUNK = 20  # worlds that a process takes at once


def kind_of(seed: int, wanted: str) -> str:
    return wanted if wanted in KINDS else ("host", "cluster")[seed % 2]


def play(seed: int, *, kind: str, is_traced: bool = False) -> str:
    """What went wrong in that world; empty when all is well."""
    logging.disable(logging.CRITICAL)
    chosen = kind_of(seed, kind)
    world = KINDS[chosen](seed)
    found = ""
    try:
        world.run()
    except Violation as violation:
        again = f"python -m tests.simulation.run --seeds 1 --start {seed} --kind {chosen} --trace"
        found = f"FAILED {chosen} {violation}\n  again: {again}"
    if is_traced:
        print("\n".join(world.trace))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--kind", choices=["both", *KINDS], default="both", help="one sidecar alone, or a cluster")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--trace", action="store_true", help="print the trace of each world")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failure")
    chosen = parser.parse_args()
    seeds = range(chosen.start, chosen.start + chosen.seeds)
    one = partial(play, kind=chosen.kind, is_traced=chosen.trace)
    if chosen.jobs == 1 or chosen.trace:
        return _watch(map(one, seeds), keeps_going=chosen.keep_going)
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        return _watch(pool.imap(one, seeds, chunksize=CHUNK), keeps_going=chosen.keep_going)


def _watch(found: Iterable[str], *, keeps_going: bool) -> int:
    failed, began = 0, time.monotonic()
    for done, problem in enumerate(found, 1):
        if problem:
            failed += 1
            print(problem, flush=True)
            if not keeps_going:
                return 1
        if done % 100 == 0:
            print(f"{done} worlds, {failed} failed, {done / (time.monotonic() - began):.0f} a second", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
