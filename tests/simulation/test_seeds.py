"""A few hundred worlds, each from its own seed: every promise is kept in all of them, and each is the same twice."""

from __future__ import annotations

import pytest

from tests.simulation.world import World

WORLDS, CHUNK = 200, 20


pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize("start", range(0, WORLDS, CHUNK))
def test_everything_promised_is_kept(start: int) -> None:
    for seed in range(start, start + CHUNK):
        World(seed).run()


@pytest.mark.parametrize("seed", [3, 59, 1955])
def test_a_seed_is_one_world(seed: int) -> None:
    first, second = World(seed), World(seed)
    first.run()
    second.run()
    assert first.trace == second.trace


@pytest.mark.parametrize("seed", [3095, 1955, 3482, 3665])
def test_worlds_that_once_went_wrong_end_well(seed: int) -> None:
    World(seed).run()
