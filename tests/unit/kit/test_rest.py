"""When to try again what failed: after a rest, each twice as long as the last."""

from __future__ import annotations

from holdfast_kit.rest import Rest


def taken(rest: Rest) -> int:
    """How many occasions pass until it may be tried."""
    return next(number for number in range(1_000) if rest.is_over())


def test_before_any_failure_it_may_be_tried() -> None:
    assert taken(Rest(shortest=3, longest=10)) == 0


def test_each_rest_is_twice_as_long_up_to_the_longest() -> None:
    rest = Rest(shortest=3, longest=10)
    found = list[int]()
    for _ in range(4):
        rest.begin()
        found.append(taken(rest))
    assert found == [3, 6, 10, 10]


def test_what_went_well_makes_the_next_rest_short() -> None:
    rest = Rest(shortest=3, longest=10)
    rest.begin()
    rest.begin()
    assert taken(rest) == 6
    rest.forget()
    rest.begin()
    assert taken(rest) == 3
