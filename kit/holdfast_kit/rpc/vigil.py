"""Whether the other end of a connection lives: who is silent for a while is asked, and given up without an answer.

heard --10 s of silence--> asked --5 s--> given up
  ^-------- any byte --------|
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast_kit.clock import Clock, Handle

SILENCE: Final = 10.0  # seconds without a byte until the other end is asked
PATIENCE: Final = 5.0  # seconds that it may take to answer
LATE: Final = 1.0  # seconds; a timer that is later was held up here, and an answer may lie unread


class Vigil:
    def __init__(self, clock: Clock, *, ping: Callable[[], None], give_up: Callable[[float], None]) -> None:
        self._clock = clock
        self._ping = ping
        self._give_up = give_up  # gets the seconds of silence
        self._heard_at = clock.monotonic()
        self._is_asked = False
        self._due = 0.0
        self._timer: Handle | None = None

    def begin(self) -> None:
        self.heard()
        self._look_in(SILENCE)

    def heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self._is_asked = False

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._due = self._clock.monotonic() + seconds
        self._timer = self._clock.call_later(seconds, self._look)

    def _look(self) -> None:
        now = self._clock.monotonic()
        silent = now - self._heard_at
        if self._is_asked and now < self._due + LATE:
            self._timer = None
            self._give_up(silent)
        elif silent < SILENCE:
            self._look_in(SILENCE - silent)
        else:
            self._is_asked = True
            self._ping()
            self._look_in(PATIENCE)
