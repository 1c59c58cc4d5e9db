"""Runs a sidecar as `holdfast dev` does, under a profiler when HOLDFAST_PROFILE names a file for it."""

import cProfile
import os
import sys

from holdfast_sidecar.__main__ import dev


def main() -> int:
    path = os.environ.pop("HOLDFAST_PROFILE", "")
    if not path:
        return dev()
    profiler = cProfile.Profile()
    try:
        return profiler.runcall(dev)
    finally:
        profiler.dump_stats(path)


if __name__ == "__main__":
    sys.exit(main())
