"""Simulated clusters are worth something only if they notice: each planted bug is found within a few worlds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.cluster.member import Member
from tests.simulation.cluster.planted import PLANTED
from tests.simulation.cluster.world import ClusterWorld
from tests.simulation.disk import Violation

PLANTED_MAX = 100


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_bug_planted_in_a_cluster_is_noticed(bug: type[Member]) -> None:
    assert any(_goes_wrong(seed, bug) for seed in range(PLANTED_MAX))


def _goes_wrong(seed: int, bug: type[Member]) -> bool:
    try:
        ClusterWorld(seed, member=bug).run()
    except Violation:
        return True
    return False
