"""The simulation is worth something only if it notices: each planted bug is found within a few worlds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.disk import Violation
from tests.simulation.planted import PLANTED
from tests.simulation.process import Process
from tests.simulation.world import World

WORLDS_MAX = 150


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_noticed(bug: type[Process]) -> None:
    assert any(_goes_wrong(seed, bug) for seed in range(WORLDS_MAX))


def _goes_wrong(seed: int, bug: type[Process]) -> bool:
    try:
        World(seed, process=bug).run()
    except Violation:
        return True
    return False
