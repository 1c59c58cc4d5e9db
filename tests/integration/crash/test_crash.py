"""The crash test at a size for every day. `make crash` runs it with 1,000 instances and 20 kills."""

from pathlib import Path
from random import SystemRandom

import pytest

from tests.integration.crash.run import Settings, crash_run


@pytest.mark.parametrize(("store", "instances", "kills"), [("sqlite", 150, 5), ("redis", 60, 3), ("postgres", 60, 3)])
def test_whatever_is_killed_every_instance_ends_right_and_nothing_is_left(
    store: str, instances: int, kills: int, tmp_path: Path
) -> None:
    settings = Settings(store, instances, kills, seed=SystemRandom().randrange(10**9))
    result = crash_run(settings, tmp_path)
    print(result)
    shown = "\n".join(result.violations[:40])
    assert not result.violations, f"{result}\n{shown}\nagain: {settings.reproduction}\nlogs in {tmp_path}"
