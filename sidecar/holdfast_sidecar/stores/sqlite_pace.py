"""Where a COMMIT runs: on the loop as long as the disk is quick, else in the thread.

A hand-over to the thread and back costs more than a COMMIT on a quick disk takes, several times more when one commit
goes at a time. On a slow disk the loop must not wait for it. Nothing but trying tells which one this is, as the thread
measures the wait for the interpreter as well. One alone tells nothing: on a busy machine the processor was with
somebody else.

    quick --SLOW_MIN in a row take longer than QUICK_MAX--> slow for `rest` more --> one is tried: quick, or slow for
                                                                                     twice as many
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from holdfast_kit.rest import Rest

QUICK_MAX: Final = 0.001  # seconds; a third of it is usual on an SSD, and what a loop may stand still
SLOW_MIN: Final = 2
REST_MIN, REST_MAX = 64, 8192  # commits in the thread until one is tried on the loop again


class Pace:
    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._rest = Rest(shortest=REST_MIN, longest=REST_MAX)  # on the loop; commits go to the thread meanwhile
        self._slow = 0  # in a row

    def is_quick(self) -> bool:
        """Asked once per COMMIT."""
        return self._rest.is_over()

    def timed(self, commit: Callable[[], None]) -> BaseException | None:
        """Runs one on the loop; gives its error."""
        began = self._now()
        try:
            commit()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for this commit
            return error
        finally:
            self._took(self._now() - began)
        return None

    def _took(self, seconds: float) -> None:
        if seconds <= QUICK_MAX:
            self._rest.forget()
            self._slow = 0
            return
        self._slow += 1
        if self._slow >= SLOW_MIN:
            self._rest.begin()
