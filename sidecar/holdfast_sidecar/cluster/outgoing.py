"""What waits to be sent to one peer, in frames: each holds what came first, so nothing overtakes anything."""

from __future__ import annotations

from collections import deque
from typing import Final

from holdfast_sidecar.cluster.words import Frame

ITEMS_MAX: Final = 256  # of one frame: beyond that its own price is no longer seen
BYTES_MAX: Final = 2 * 1024 * 1024  # of payload that is put together; a single large item may be above


class Outgoing:
    def __init__(self) -> None:
        self._full: deque[Frame] = deque()
        self._frame = Frame()
        self._items = 0
        self._bytes = 0

    def room(self, weight: int = 0) -> Frame:
        """The frame to put one more item into that has about `weight` bytes of payload."""
        if self._items >= ITEMS_MAX or (self._items and self._bytes + weight > BYTES_MAX):
            self._full.append(self._frame)
            self._clear()
        self._items += 1
        self._bytes += weight
        return self._frame

    def next(self) -> Frame | None:
        """The oldest frame; None when nothing waits."""
        if self._full:
            return self._full.popleft()
        if not self._items:
            return None
        found = self._frame
        self._clear()
        return found

    def forget(self) -> None:
        self._full.clear()
        self._clear()

    def _clear(self) -> None:
        self._frame = Frame()
        self._items = self._bytes = 0
