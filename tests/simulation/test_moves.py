"""Where hosts only come and leave as planned, every activity runs once: in many small worlds."""

from __future__ import annotations

import pytest

from tests.simulation.cluster.climate import PEACEFUL
from tests.simulation.cluster.world import ClusterWorld

WORLDS, CHUNK = 60, 20


pytestmark = pytest.mark.usefixtures("quiet")


def run_once_each(seed: int) -> int:
    """Runs the world and sees that it ran nothing twice; gives how many activities ran."""
    world = ClusterWorld(seed, climate=PEACEFUL)
    world.run()
    twice = [(key[0], key[2], times) for key, times in world.journal.runs.items() if times > 1]
    assert twice == [], f"seed {seed}"
    return len(world.journal.runs)


@pytest.mark.parametrize("start", range(0, WORLDS, CHUNK))
def test_a_move_runs_nothing_twice(start: int) -> None:
    assert sum(map(run_once_each, range(start, start + CHUNK))) > 100


@pytest.mark.parametrize("seed", [1018, 1353, 1838])
def test_worlds_that_once_ran_something_twice_run_it_once(seed: int) -> None:
    assert run_once_each(seed) > 0
