"""The simulation is worth something only if it notices: each planted bug is found within a few worlds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulation.cluster import planted as planted_in_clusters
from tests.simulation.cluster.member import Member
from tests.simulation.cluster.world import ClusterWorld
from tests.simulation.disk import Violation
from tests.simulation.planted import PLANTED
from tests.simulation.process import Process
from tests.simulation.stage import Stage
from tests.simulation.world import World

WORLDS_MAX, CLUSTERS_MAX = 150, 100

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_noticed(bug: type[Process]) -> None:
    assert any(_goes_wrong(lambda seed: World(seed, process=bug), seed) for seed in range(WORLDS_MAX))


@pytest.mark.parametrize("bug", planted_in_clusters.PLANTED, ids=lambda bug: bug.__name__)
def test_a_bug_planted_in_a_cluster_is_noticed(bug: type[Member]) -> None:
    assert any(_goes_wrong(lambda seed: ClusterWorld(seed, member=bug), seed) for seed in range(CLUSTERS_MAX))


def _goes_wrong(make: Callable[[int], Stage], seed: int) -> bool:
    try:
        make(seed).run()
    except Violation:
        return True
    return False
