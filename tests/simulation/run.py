"""Many simulated worlds, each from its own seed: `python -m tests.simulation.run --seeds 1000 --start 0`."""

from __future__ import annotations

import argparse
import logging
import sys
import time

from tests.simulation.disk import Violation
from tests.simulation.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--trace", action="store_true", help="print the trace of each world")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first failure")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    failed, began = 0, time.monotonic()
    for done, seed in enumerate(range(chosen.start, chosen.start + chosen.seeds), 1):
        world = World(seed)
        try:
            world.run()
        except Violation as violation:
            failed += 1
            print(f"FAILED {violation}\n  again: python -m tests.simulation.run --seeds 1 --start {seed} --trace")
        if chosen.trace:
            print("\n".join(world.trace))
        if failed and not chosen.keep_going:
            return 1
        if done % 100 == 0:
            print(f"{done} worlds, {failed} failed, {done / (time.monotonic() - began):.0f} a second", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
