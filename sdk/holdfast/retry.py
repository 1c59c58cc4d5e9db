"""When to try again. A policy is a value; the waits between tries are durable timers of the workflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from holdfast.errors import DefinitionError

NANOS: Final = 1_000_000_000
Seconds = float | timedelta


def to_nanos(duration: Seconds, *, what: str) -> int:
    """Nanoseconds of a number of seconds or a timedelta; negative ones and NaN are refused."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not 0 <= seconds < float("inf"):
        raise DefinitionError(f"{what}: expected a number of seconds from 0 on, found {duration!r}")
    return round(seconds * NANOS)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a failed call is tried again.

    The wait after try n is `first * factor ** (n - 1)`, at most `cap`, then shortened by up to the share `jitter` (the
    same share at each replay). No try begins later than `deadline` after the first. `attempts` None: without end.
    Errors that are, or derive from, one of `non_retryable` (types, or names of types) are final at once.
    """

    attempts: int | None = None
    first: Seconds = 1.0
    factor: float = 2.0
    cap: Seconds = 60.0
    deadline: Seconds | None = None
    jitter: float = 0.1
    non_retryable: Sequence[type[BaseException] | str] = ()

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 1:
            raise DefinitionError(f"Retry(attempts): expected at least 1, or None for no bound, found {self.attempts}")
        if self.factor < 1:
            raise DefinitionError(f"Retry(factor): expected at least 1, found {self.factor}")
        if not 0 <= self.jitter <= 1:
            raise DefinitionError(f"Retry(jitter): expected a share between 0 and 1, found {self.jitter}")
        for name in ("first", "cap"):
            to_nanos(getattr(self, name), what=f"Retry({name})")
        if self.deadline is not None:
            to_nanos(self.deadline, what="Retry(deadline)")

    def wait_after(self, attempt: int, *, names: Sequence[str], elapsed: int, chance: float) -> int | None:
        """Nanoseconds to wait after the failed try number `attempt` (from 1), or None when it was the last.

        `names` are the error's type and its bases; `elapsed` is the time since the first try; `chance` is in [0, 1).
        """
        if self.attempts is not None and attempt >= self.attempts:
            return None
        if any((kind if isinstance(kind, str) else kind.__name__) in names for kind in self.non_retryable):
            return None
        wait = self._wait(attempt)
        wait -= int(wait * self.jitter * chance)
        if self.deadline is not None and elapsed + wait > to_nanos(self.deadline, what="Retry(deadline)"):
            return None
        return wait

    def _wait(self, attempt: int) -> int:
        cap = to_nanos(self.cap, what="Retry(cap)")
        first = to_nanos(self.first, what="Retry(first)")
        exponent = min(attempt - 1, 1000)  # beyond it every factor above 1 is far over any cap
        try:
            return min(cap, round(first * self.factor**exponent))
        except OverflowError:
            return cap
