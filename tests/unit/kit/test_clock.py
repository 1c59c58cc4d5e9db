import asyncio
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.clock import NANOS, SystemClock, VirtualClock, to_datetime, to_ns

_DELAYS = st.lists(st.integers(0, 50).map(lambda tenths: tenths / 10), max_size=30)


@given(_DELAYS)
def test_callbacks_run_in_order_of_time_and_then_insertion(delays: list[float]) -> None:
    clock, ran = VirtualClock(), list[tuple[float, int]]()
    for number, delay in enumerate(delays):
        clock.call_later(delay, partial(ran.append, (delay, number)))
    clock.advance(5.0)
    assert ran == sorted((delay, number) for number, delay in enumerate(delays))


@given(_DELAYS, st.lists(st.integers(0, 20).map(lambda tenths: tenths / 10), max_size=10))
def test_each_callback_sees_its_own_due_time_however_time_is_cut_up(delays: list[float], steps: list[float]) -> None:
    clock, seen = VirtualClock(), list[tuple[float, float]]()

    def note(due: float) -> None:
        seen.append((due, clock.monotonic()))

    for delay in delays:
        clock.call_later(delay, partial(note, delay))
    for step in [*steps, 0.0]:
        clock.advance(step)
    assert all(due == at for due, at in seen)
    assert len(seen) == sum(round(delay * 10) <= sum(round(step * 10) for step in steps) for delay in delays)


@given(st.lists(st.integers(1, 10**12), max_size=20))
def test_time_is_the_exact_sum_of_the_steps(steps_ns: list[int]) -> None:
    clock = VirtualClock(start_ns=7)
    for step in steps_ns:
        clock.advance(step / NANOS)
    assert clock.now_ns() == 7 + sum(steps_ns)


def test_a_callback_made_by_a_callback_runs_in_the_same_advance_when_it_falls_into_it() -> None:
    clock, ran = VirtualClock(), list[float]()
    clock.call_later(1, lambda: clock.call_later(1, lambda: ran.append(clock.monotonic())))
    clock.advance(1.5)
    assert ran == []
    clock.advance(0.5)
    assert ran == [2.0]


def test_a_cancelled_callback_never_runs() -> None:
    clock, ran = VirtualClock(), list[str]()
    handle = clock.call_later(1, lambda: ran.append("ran"))
    handle.cancel()
    clock.advance(2)
    assert ran == []
    assert clock.until_next() is None


def test_an_exception_leaves_time_at_its_callback_and_the_rest_waiting() -> None:
    clock, ran = VirtualClock(), list[str]()
    clock.call_later(1, lambda: 1 // 0)
    clock.call_later(2, lambda: ran.append("ran"))
    with pytest.raises(ZeroDivisionError):
        clock.advance(3)
    assert (clock.monotonic(), clock.until_next(), ran) == (1.0, 1.0, [])


def test_advance_to_next_jumps_over_the_gap_and_says_when_nothing_waits() -> None:
    clock = VirtualClock()
    clock.call_later(86_400, lambda: None)
    assert clock.until_next() == 86_400
    assert clock.advance_to_next()
    assert clock.monotonic() == 86_400
    assert not clock.advance_to_next()


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock().advance(-1)


async def test_sleepers_wake_in_order_when_time_is_moved() -> None:
    clock, woken = VirtualClock(), list[int]()

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2):
            group.create_task(sleeper(seconds))
        await asyncio.sleep(0)
        clock.advance(3)
    assert woken == [1, 2, 3]


async def test_a_cancelled_sleeper_leaves_nothing_behind() -> None:
    clock = VirtualClock()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        task.cancel()
    assert clock.until_next() is None


async def test_the_system_clock_runs_callbacks_and_sleeps() -> None:
    clock, ran = SystemClock(), asyncio.Event()
    before = clock.monotonic(), clock.now_ns()
    clock.call_later(-1, ran.set)
    async with asyncio.timeout(5):
        await ran.wait()
        await clock.sleep(0.001)
    assert clock.monotonic() - before[0] >= 0.001
    assert clock.now_ns() > before[1]


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_stored_times_survive_the_way_there_and_back(moment: datetime) -> None:
    assert to_datetime(to_ns(moment)) == moment


def test_a_zone_counts_and_a_naive_time_is_refused() -> None:
    assert to_ns(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0
    with pytest.raises(ValueError, match="expected a time zone"):
        to_ns(datetime(2026, 1, 1))  # noqa: DTZ001
