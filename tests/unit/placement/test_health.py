"""A wedged agent is named, a busy one is not; a cause is logged once."""

from holdfast_kit.clock import VirtualClock
from holdfast_placement.health import LoopWatch, Once, Pulse
from holdfast_placement.stats import Stats


def test_an_agent_that_stopped_beating_is_wedged() -> None:
    clock = VirtualClock()
    pulse = Pulse(clock)
    alive, _ = pulse.agent("alive"), pulse.agent("stuck")
    for _ in range(7):
        clock.advance(5)
        alive()
    assert pulse.wedged() == {"stuck": 35.0}


def test_an_agent_that_is_late_is_only_busy() -> None:
    clock = VirtualClock()
    pulse = Pulse(clock)
    pulse.agent("busy")
    clock.advance(29)
    assert pulse.wedged() == {}
    assert pulse.ages() == {"busy": 29.0}


async def test_a_late_loop_is_measured_and_the_watchdog_armed() -> None:
    armed, stats = list[int](), Stats()
    watch = LoopWatch(_LateClock(), stats, arm=lambda: armed.append(1), beat=lambda: None)
    await watch.run_once()
    assert stats.loop_lag_seconds == 2.0
    assert armed == [1]


class _LateClock(VirtualClock):
    """Every sleep takes two seconds more than asked for."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds + 2)


def test_the_same_cause_is_news_once() -> None:
    once = Once(VirtualClock())
    assert [once.is_new("host a", "taken") for _ in range(3)] == [True, False, False]


def test_another_cause_another_subject_and_a_recovery_are_news() -> None:
    once = Once(VirtualClock())
    once.is_new("host a", "taken")
    assert once.is_new("host a", "silent")
    assert once.is_new("host b", "silent")
    once.forget("host a")
    assert once.is_new("host a", "silent")


def test_after_a_long_time_it_is_news_again() -> None:
    clock = VirtualClock()
    once = Once(clock)
    once.is_new("host a", "taken")
    clock.advance(3599)
    assert not once.is_new("host a", "taken")
    clock.advance(2)
    assert once.is_new("host a", "taken")


def test_what_is_remembered_has_a_bound() -> None:
    once = Once(VirtualClock(), subjects_max=2)
    for subject in "abc":
        once.is_new(subject, "x")
    assert once.is_new("a", "x")
    assert not once.is_new("c", "x")
