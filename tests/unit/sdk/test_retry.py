from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import DefinitionError, NonRetryable, Retry
from holdfast._replay.failures import bases_of, failure_of
from holdfast.errors import ActivityFailed
from holdfast_proto.history import Failure

SECOND = 1_000_000_000


class PaymentError(Exception):
    pass


class CardDeclined(PaymentError):
    pass


def _waits(retry: Retry, count: int, chance: float = 0.0) -> list[int | None]:
    return [retry.wait_after(n, names=(), elapsed=0, chance=chance) for n in range(1, count + 1)]


def test_waits_grow_by_the_factor_up_to_the_cap() -> None:
    retry = Retry(first=1, factor=2, cap=5, jitter=0)
    assert _waits(retry, 5) == [SECOND, 2 * SECOND, 4 * SECOND, 5 * SECOND, 5 * SECOND]


def test_durations_may_be_timedeltas() -> None:
    assert _waits(Retry(first=timedelta(minutes=1), cap=timedelta(minutes=1), jitter=0), 1) == [60 * SECOND]


def test_the_last_try_is_the_last() -> None:
    assert _waits(Retry(attempts=2, jitter=0), 3) == [SECOND, None, None]


def test_jitter_only_shortens() -> None:
    assert _waits(Retry(first=10, jitter=0.5), 1, chance=0.5) == [7_500_000_000]


def test_no_try_begins_after_the_deadline() -> None:
    retry = Retry(first=10, deadline=25, jitter=0)
    assert retry.wait_after(1, names=(), elapsed=15 * SECOND, chance=0) == 10 * SECOND
    assert retry.wait_after(1, names=(), elapsed=15 * SECOND + 1, chance=0) is None


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.floats(1, 1e6), st.floats(0, 1e6))
def test_every_wait_lies_between_nothing_and_the_cap(attempt: int, chance: float, factor: float, first: float) -> None:
    wait = Retry(first=first, factor=factor, cap=60).wait_after(attempt, names=(), elapsed=0, chance=chance)
    assert wait is not None
    assert 0 <= wait <= 60 * SECOND


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"attempts": 0}, "at least 1"),
        ({"factor": 0.5}, "at least 1"),
        ({"jitter": 2}, "between 0 and 1"),
        ({"first": -1}, "Retry\\(first\\)"),
        ({"cap": float("inf")}, "Retry\\(cap\\)"),
        ({"deadline": float("nan")}, "Retry\\(deadline\\)"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(bad: dict[str, float], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        Retry(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [PaymentError, "PaymentError", CardDeclined])
def test_subclasses_are_known_by_the_names_that_travel(kind: type[Exception] | str) -> None:
    failure = failure_of(CardDeclined("no funds"))
    names = (failure.kind, *bases_of(failure))
    assert names == ("CardDeclined", "PaymentError")
    assert Retry(non_retryable=[kind]).wait_after(1, names=names, elapsed=0, chance=0) is None
    assert ActivityFailed(name="a", seq=0, failure=failure, bases=names[1:]).is_a(kind)


def test_a_failure_without_bases_has_none() -> None:
    assert bases_of(failure_of(Exception("x"))) == ()
    assert bases_of(Failure(kind="x", message="y", properties=b"2\x07\n\x05other")) == ()


def test_many_bases_travel_too() -> None:
    kind: Any = Exception
    for number in range(60):
        kind = type(f"Base{number}", (kind,), {})
    assert len(bases_of(failure_of(kind("x")))) == 59


def test_an_error_can_say_that_it_is_final() -> None:
    class Final(NonRetryable, ValueError):
        pass

    assert failure_of(Final("x")).is_non_retryable
    assert not failure_of(ValueError("x")).is_non_retryable


def test_causes_and_groups_are_followed_to_a_bound() -> None:
    error: Exception = ValueError("first")
    for number in range(50):
        try:
            raise RuntimeError(str(number)) from error
        except RuntimeError as raised:
            error = raised
    failure: Failure | None = failure_of(error)
    depth = 0
    while failure is not None:
        failure, depth = failure.cause, depth + 1
    assert depth == 11


def test_an_error_whose_text_fails_still_travels() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    assert "whose text cannot be had: ValueError" in failure_of(Mute()).message
