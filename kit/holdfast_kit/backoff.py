"""How long to wait before trying again."""

import random
from datetime import timedelta

_DOUBLINGS_MAX = 62  # beyond it base * 2**n says nothing new and would overflow a float in the end


class Backoff:
    """Exponential backoff with full jitter: the n-th wait (n from 0) is uniform in [0, min(cap, base * 2**n)].

    Full jitter, because what fails at once on many hosts must not come back at once.
    """

    def __init__(self, rng: random.Random, *, base: timedelta, cap: timedelta) -> None:
        if not timedelta(0) < base <= cap:
            raise ValueError(f"backoff: expected 0 < base <= cap, found base {base} and cap {cap}")
        self._rng = rng
        self._base = base.total_seconds()
        self._cap = cap.total_seconds()
        self._failures = 0

    @property
    def failures(self) -> int:
        """Waits handed out since the last `reset`."""
        return self._failures

    def next(self) -> float:
        """Seconds to wait now; the bound of the following wait is twice as high, up to the cap."""
        bound = min(self._cap, self._base * 2 ** min(self._failures, _DOUBLINGS_MAX))
        self._failures += 1
        return self._rng.uniform(0.0, bound)

    def reset(self) -> None:
        """It worked: the next failure starts at `base` again."""
        self._failures = 0
