import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.backoff import Backoff


class _Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def _backoff(rng: random.Random) -> Backoff:
    return Backoff(rng, base=timedelta(milliseconds=100), cap=timedelta(seconds=1))


def test_the_bound_doubles_up_to_the_cap_and_starts_again_after_reset() -> None:
    backoff = _backoff(_Highest())
    assert [backoff.next() for _ in range(6)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert backoff.failures == 6
    backoff.reset()
    assert backoff.next() == pytest.approx(0.1)


@given(st.integers(), st.integers(1, 3000))
def test_every_wait_lies_between_zero_and_its_bound(seed: int, failures: int) -> None:
    backoff = _backoff(random.Random(seed))
    waits = [backoff.next() for _ in range(failures)]
    assert all(0 <= wait <= min(1.0, 0.1 * 2**number) for number, wait in enumerate(waits[:20]))
    assert all(0 <= wait <= 1.0 for wait in waits)


def test_two_hosts_do_not_wait_alike() -> None:
    assert _backoff(random.Random(1)).next() != _backoff(random.Random(2)).next()


@pytest.mark.parametrize(("base", "cap"), [(0, 1), (-1, 1), (2, 1)])
def test_bounds_that_make_no_sense_are_refused(base: int, cap: int) -> None:
    with pytest.raises(ValueError, match="expected 0 < base <= cap"):
        Backoff(random.Random(), base=timedelta(seconds=base), cap=timedelta(seconds=cap))
