"""Tells when workflow code holds the worker: a turn must only decide, never wait or compute for long."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Self

_log = logging.getLogger("holdfast.worker")


class Watchdog:
    """`watch` is called from the loop's thread before and after each turn; a thread of its own looks at the clock.

    A limit of 0 never reports.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._thread_id = 0
        self._turn: tuple[str, float] | None = None
        self._reported: tuple[str, float] | None = None
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._thread_id = threading.get_ident()
        if self._limit > 0:
            threading.Thread(target=self._look, name="holdfast-watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()

    def watch(self, instance_id: str | None) -> None:
        self._turn = None if instance_id is None else (instance_id, time.monotonic())

    def _look(self) -> None:
        while not self._stopped.wait(self._limit / 4):
            turn = self._turn
            if turn is None or turn is self._reported or time.monotonic() - turn[1] < self._limit:
                continue
            self._reported = turn
            frame = sys._current_frames().get(self._thread_id)  # pyright: ignore[reportPrivateUsage] - the only way there is
            stack = "".join(traceback.format_stack(frame)) if frame is not None else "unknown"
            _log.error(
                "workflow code blocks the worker: %s has not yielded for %.1f s; do the work in an activity\n%s",
                turn[0],
                self._limit,
                stack,
            )
