"""Frames on their way to one stream: what gathers while a frame is being written goes out in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from holdfast_proto.v1 import worker_pb2 as pb

ITEMS_MAX: Final = 128  # more in one frame makes the two processes take turns instead of working side by side
FRAME_BYTES_MAX: Final = 2 * 1024 * 1024  # of payload that we put together; a single large item may be above


class Outbox:
    def __init__(self) -> None:
        self._full: deque[pb.RawSidecarFrame] = deque()
        self._frame = pb.RawSidecarFrame()
        self._items = 0
        self._bytes = 0
        self._wake = asyncio.Event()
        self._is_closed = False

    def room(self, size: int) -> pb.RawSidecarFrame:
        """The frame to put one more item of about this size into."""
        if self._items >= ITEMS_MAX or (self._items and self._bytes + size > FRAME_BYTES_MAX):
            self.cut()
        self._items += 1
        self._bytes += size
        self._wake.set()
        return self._frame

    def cut(self) -> None:
        """What is added from here on goes into a later frame."""
        if self._items:
            self._full.append(self._frame)
            self._frame = pb.RawSidecarFrame()
            self._items = self._bytes = 0

    def close(self) -> None:
        """`next` gives what is left, then None."""
        self._is_closed = True
        self._wake.set()

    async def next(self) -> bytes | None:
        while not self._items and not self._full:
            if self._is_closed:
                return None
            self._wake.clear()
            await self._wake.wait()
        if self._full:
            return self._full.popleft().SerializeToString()
        frame, self._frame = self._frame, pb.RawSidecarFrame()
        self._items = self._bytes = 0
        return frame.SerializeToString()
