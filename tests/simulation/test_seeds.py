"""A few hundred worlds, each from its own seed: every promise is kept in all of them, and each is the same twice."""

from __future__ import annotations

import pytest

from tests.simulation.cluster.world import ClusterWorld
from tests.simulation.world import World

WORLDS, CLUSTERS, CHUNK = 200, 100, 20


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("start", range(0, WORLDS, CHUNK))
def test_everything_promised_is_kept(start: int) -> None:
    for seed in range(start, start + CHUNK):
        World(seed).run()


@pytest.mark.parametrize("start", range(0, CLUSTERS, CHUNK))
def test_everything_promised_is_kept_by_clusters(start: int) -> None:
    for seed in range(start, start + CHUNK):
        ClusterWorld(seed).run()


@pytest.mark.parametrize("kind", [World, ClusterWorld])
@pytest.mark.parametrize("seed", [3, 59, 1955, 9009])
def test_a_seed_is_one_world(kind: type[World | ClusterWorld], seed: int) -> None:
    first, second = kind(seed), kind(seed)
    first.run()
    second.run()
    assert first.trace == second.trace


@pytest.mark.parametrize("seed", [3095, 1955, 3482, 3665, 317844, 439766, 445200])
def test_worlds_that_once_went_wrong_end_well(seed: int) -> None:
    World(seed).run()


@pytest.mark.parametrize("seed", [104817, 106301, 108089, 406903, 428913, 431413, 443909, 611371, 653525])
def test_clusters_that_once_went_wrong_end_well(seed: int) -> None:
    ClusterWorld(seed).run()
