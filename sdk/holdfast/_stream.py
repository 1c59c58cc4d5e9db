"""What passes between the SDK and whatever carries its messages: a stream of bytes, and how it ends."""

from __future__ import annotations

from typing import Protocol


class Disconnected(Exception):
    """A stream broke. `is_final`: trying again does not change it; the text is for a person."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        super().__init__(text)
        self.is_final = is_final


class Stream(Protocol):
    """Messages both ways, each as its bytes. One reader and one writer may use it at the same time."""

    async def read(self) -> bytes | None:
        """The next message, as soon as it is there; None when the other side has hung up. Disconnected: it broke."""
        ...

    async def write(self, data: bytes, /) -> None:
        """Returns when there is room for another one. Disconnected when there never will be."""
        ...

    async def done_writing(self) -> None:
        """Nothing more comes from here; what comes from there can still be read. Never fails."""
        ...

    def cancel(self) -> None:
        """Ends it both ways, at once: a waiting `read` raises Disconnected or is cancelled. Harmless after its end."""
        ...
