"""Shows the other end that this process lives while its event loop is busy with something else.

An app may keep its loop for longer than a server waits for an answer (`Vigil`): an activity that computes, a driver
that blocks. So a thread says something on each connection that has been silent for a while. A process that is frozen
has no running threads either, and is noticed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakSet

PERIOD: Final = 4.0  # seconds; two of them are less than the silence after which we would be asked


class Beating(Protocol):
    def beat(self) -> None:
        """Called in another thread, every few seconds."""
        ...


class Pulse:
    """One thread for all connections of the process; it ends when there are none."""

    def __init__(self, pause: Callable[[], object] = lambda: threading.Event().wait(PERIOD)) -> None:
        self._pause = pause
        self._lock = threading.Lock()
        self._members = WeakSet[Beating]()
        self._thread: threading.Thread | None = None

    def add(self, member: Beating) -> None:
        with self._lock:
            self._members.add(member)
            if self._thread is None or not self._thread.is_alive():  # a fork takes no threads along
                self._thread = threading.Thread(target=self._run, name="holdfast pulse", daemon=True)
                self._thread.start()

    def remove(self, member: Beating) -> None:
        with self._lock:
            self._members.discard(member)

    def _run(self) -> None:
        self._pause()
        while self._beat_all():
            self._pause()

    def _beat_all(self) -> bool:
        """False when nobody is left; then the thread is to end."""
        with self._lock:
            members = list(self._members)
            if not members:
                self._thread = None  # here, under the lock: who comes while it ends needs another
        for member in members:
            member.beat()
        return bool(members)


PULSE: Final = Pulse()
