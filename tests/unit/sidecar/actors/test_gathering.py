"""How many commits a write waits for: never many, never for long, and not again when nobody came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.actors.gathering import COMPANY_MAX, COMPANY_SHARE, REST_MAX, Gathering

BUSY = COMPANY_SHARE * COMPANY_MAX


def _rest(gathering: Gathering) -> int:
    """How many writes go at once until one waits."""
    return next(number for number in range(10 * REST_MAX) if gathering.wanted(1, under_way=BUSY) > 1)


def test_with_little_under_way_nobody_waits() -> None:
    gathering = Gathering()
    assert all(gathering.wanted(1, under_way=few) == 1 for few in range(2 * COMPANY_SHARE))


def test_with_much_under_way_a_part_of_it_is_waited_for() -> None:
    gathering = Gathering()
    assert gathering.wanted(1, under_way=4 * COMPANY_SHARE) == 4
    assert gathering.wanted(1, under_way=100 * BUSY) == COMPANY_MAX


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 10_000), st.integers(0, 3))))
def test_who_has_company_goes_at_once(steps: list[tuple[int, int, int]]) -> None:
    gathering = Gathering()
    for depth, under_way, came in steps:
        wanted = gathering.wanted(depth, under_way=under_way)
        assert depth <= wanted <= max(depth, COMPANY_MAX)
        if wanted > depth:
            gathering.ended(came=came)


def test_a_wait_in_vain_is_repeated_less_and_less_often() -> None:
    gathering = Gathering()
    rests = list[int]()
    for _ in range(10):
        gathering.ended(came=0)
        rests.append(_rest(gathering))
    assert rests[:4] == [1, 2, 4, 8]
    assert rests[-1] == REST_MAX


def test_company_makes_vain_waits_forgotten() -> None:
    gathering = Gathering()
    for _ in range(5):
        gathering.ended(came=0)
        _rest(gathering)
    gathering.ended(came=1)
    assert _rest(gathering) == 0
    gathering.ended(came=0)
    assert _rest(gathering) == 1
