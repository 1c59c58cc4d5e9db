"""Where hosts only come and leave as planned, every activity runs once: in many small worlds."""

from __future__ import annotations

import pytest

from tests.simulation.cluster.climate import PEACEFUL
from tests.simulation.cluster.world import ClusterWorld

WORLDS, CHUNK = 60, 20


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("start", range(0, WORLDS, CHUNK))
def test_a_move_runs_nothing_twice(start: int) -> None:
    ran = 0
    for seed in range(start, start + CHUNK):
        world = ClusterWorld(seed, climate=PEACEFUL)
        world.run()
        twice = [(key[0], key[2], times) for key, times in world.journal.runs.items() if times > 1]
        assert twice == [], f"seed {seed}"
        ran += len(world.journal.runs)
    assert ran > 100
