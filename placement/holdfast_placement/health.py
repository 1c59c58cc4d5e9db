"""Telling a wedged process from a busy one: every agent says from time to time that it is still going round."""

from collections.abc import Callable
from datetime import timedelta

from holdfast_kit.clock import Clock
from holdfast_placement.stats import Stats

WEDGED_AFTER = timedelta(seconds=30)  # every agent goes round at least each few seconds, also when etcd is away

_LOOK_S = 0.5


class Pulse:
    """A busy process is late with its beats, a wedged agent has stopped beating for good."""

    def __init__(self, clock: Clock, *, limit: timedelta = WEDGED_AFTER) -> None:
        self._clock = clock
        self._limit_s = limit.total_seconds()
        self._beats: dict[str, float] = {}

    def agent(self, name: str) -> Callable[[], None]:
        """A function for the agent to call each time it goes round."""

        def beat() -> None:
            self._beats[name] = self._clock.monotonic()

        beat()
        return beat

    def ages(self) -> dict[str, float]:
        """Seconds since each agent's last beat."""
        now = self._clock.monotonic()
        return {name: now - at for name, at in self._beats.items()}

    def wedged(self) -> dict[str, float]:
        """Those that stopped."""
        return {name: age for name, age in self.ages().items() if age > self._limit_s}


class LoopWatch:
    """Measures how late the event loop is; `arm` is called each time, for a watchdog outside of the loop."""

    def __init__(self, clock: Clock, stats: Stats, *, arm: Callable[[], None], beat: Callable[[], None]) -> None:
        self._clock = clock
        self._stats = stats
        self._arm = arm
        self._beat = beat

    async def run(self) -> None:
        while True:
            await self.run_once()

    async def run_once(self) -> None:
        self._arm()
        self._beat()
        expected = self._clock.monotonic() + _LOOK_S
        await self._clock.sleep(_LOOK_S)
        self._stats.loop_lag_seconds = max(0.0, self._clock.monotonic() - expected)


class Once:
    """What was logged already: true for a subject the first time, and again when the cause is another or long ago."""

    def __init__(self, clock: Clock, *, again_after: timedelta = timedelta(hours=1), subjects_max: int = 4096) -> None:
        self._clock = clock
        self._again_after_s = again_after.total_seconds()
        self._subjects_max = subjects_max
        self._seen: dict[object, tuple[object, float]] = {}

    def is_new(self, subject: object, cause: object) -> bool:
        now = self._clock.monotonic()
        before, at = self._seen.pop(subject, (None, now))
        is_known = before == cause and now - at < self._again_after_s
        self._seen[subject] = (cause, at if is_known else now)
        if len(self._seen) > self._subjects_max:
            del self._seen[next(iter(self._seen))]
        return not is_known

    def forget(self, subject: object) -> None:
        """It went well: the same cause is news again."""
        self._seen.pop(subject, None)
