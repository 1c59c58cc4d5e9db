"""The crash test at full size.

python -m tests.integration.crash [--store sqlite|redis|postgres|all] [--instances 1000] [--kills 20] [--seed N]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from random import SystemRandom

from tests.integration.crash.grounds import GROUNDS
from tests.integration.crash.run import Settings, crash_run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.crash", description=__doc__)
    parser.add_argument("--store", choices=[*GROUNDS, "all"], default="all")
    parser.add_argument("--instances", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    flags = parser.parse_args()
    stores = list(GROUNDS) if flags.store == "all" else [flags.store]
    return max(_run(Settings(store, flags.instances, flags.kills, flags.seed)) for store in stores)


def _run(settings: Settings) -> int:
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-crash-{settings.store}-"))
    print(f"{settings.store}: seed {settings.seed}, logs in {folder}", flush=True)
    result = crash_run(settings, folder)
    print(result, flush=True)
    for violation in result.violations:
        print(f"  {violation}", flush=True)
    if result.violations:
        print(f"again: {settings.reproduction}", flush=True)
        return 1
    shutil.rmtree(folder)  # logs are kept of what failed
    return 0


if __name__ == "__main__":
    sys.exit(main())
