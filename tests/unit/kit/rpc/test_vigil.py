"""Silence, the question, and giving up; and what a loop that stood still itself may conclude."""

from __future__ import annotations

from holdfast_kit.clock import VirtualClock
from holdfast_kit.rpc.vigil import LATE, PATIENCE, SILENCE, Vigil


class HeldUp(VirtualClock):
    """The clock of a loop that can be busy: it is later than its timers were meant for."""

    busy = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.busy


class Watched:
    def __init__(self) -> None:
        self.clock = HeldUp()
        self.asked = 0
        self.silent = list[float]()
        self.vigil = Vigil(self.clock, ping=self.ask, give_up=self.silent.append)
        self.vigil.begin()

    def ask(self) -> None:
        self.asked += 1


def test_who_speaks_is_never_asked() -> None:
    watched = Watched()
    for _ in range(100):
        watched.clock.advance(SILENCE - 0.1)
        watched.vigil.heard()
    assert (watched.asked, watched.silent) == (0, [])


def test_who_is_silent_is_asked_and_then_given_up_once() -> None:
    watched = Watched()
    watched.clock.advance(SILENCE)
    assert (watched.asked, watched.silent) == (1, [])
    watched.clock.advance(PATIENCE)
    assert (watched.asked, watched.silent) == (1, [SILENCE + PATIENCE])
    watched.clock.advance(100)
    assert watched.silent == [SILENCE + PATIENCE]


def test_who_answers_is_left_alone_for_as_long_again() -> None:
    watched = Watched()
    watched.clock.advance(SILENCE)
    watched.vigil.heard()
    watched.clock.advance(SILENCE - 0.1)
    assert (watched.asked, watched.silent) == (1, [])


def test_a_loop_that_stood_still_asks_again_before_it_gives_up() -> None:
    """The answer may have come long ago and lie unread."""
    watched = Watched()
    watched.clock.advance(SILENCE)
    watched.clock.busy = LATE + PATIENCE
    watched.clock.advance(PATIENCE)
    assert (watched.asked, watched.silent) == (2, [])
    watched.clock.advance(PATIENCE)
    assert len(watched.silent) == 1


def test_after_its_end_nothing_is_looked_at() -> None:
    watched = Watched()
    watched.vigil.end()
    watched.clock.advance(100)
    assert (watched.asked, watched.silent) == (0, [])
