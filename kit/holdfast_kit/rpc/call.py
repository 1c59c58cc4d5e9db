"""What a server's handler has of its call, and how methods are named to a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from holdfast_kit.rpc.status import Aborted


class Call(Protocol):
    """One call, as its handler sees it."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Names in lower case; of one that came twice the last. Binary values stay encoded."""
        ...

    @property
    def peer(self) -> str:
        """Where the caller is, as text."""
        ...

    def begin(self) -> None:
        """Sends the headers now: some clients wait for them before they believe in a stream."""
        ...

    async def write(self, message: bytes, /) -> None:
        """Waits while the caller is slow to read."""
        ...


class Reply(Protocol):
    """What a handler that nobody waits for answers with: once, at once or later. Who has hung up hears nothing."""

    def answer(self, message: bytes, /) -> None: ...

    def refuse(self, error: Aborted, /) -> None: ...


Unary: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
Serve: TypeAlias = Callable[[bytes, Call], Awaitable[None]]
Told: TypeAlias = Callable[[bytes, Reply], None]
Converse: TypeAlias = Callable[[AsyncIterator[bytes], Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OneToOne:
    run: Unary


@dataclass(frozen=True, slots=True)
class ToldToOne:
    """One message in, one out, and no task in between: the handler returns at once and answers when it can.

    With `can_wait` nobody goes on because of the answer: it leaves with whatever leaves next, or a moment later.
    """

    run: Told
    can_wait: bool = False


@dataclass(frozen=True, slots=True)
class OneToMany:
    run: Serve


@dataclass(frozen=True, slots=True)
class ManyToMany:
    run: Converse


Method: TypeAlias = OneToOne | ToldToOne | OneToMany | ManyToMany
Methods: TypeAlias = Mapping[str, Method]
"""By path: /service/method."""


WAITING_MAX: Final = 4 << 20  # bytes of messages that nobody has taken yet, from which on the caller must wait


class Incoming:
    """The messages of a caller, in order. `consumed` tells how many bytes the caller may send again."""

    __slots__ = ("_consumed", "_has_ended", "_messages", "_owed", "_waiting", "_wake")

    def __init__(self, consumed: Callable[[int], None]) -> None:
        self._consumed = consumed
        self._messages: deque[bytes] = deque()
        self._waiting = 0
        self._owed = 0
        self._wake: asyncio.Future[None] | None = None
        self._has_ended = False

    def put(self, messages: Sequence[bytes], *, size: int) -> None:
        """Messages that are complete now, with `size` bytes that came."""
        self._messages += messages
        self._waiting += sum(map(len, messages))
        self._owed += size
        self._settle()
        if messages:
            self._stir()

    def end(self) -> None:
        self._has_ended = True
        self._stir()

    def __aiter__(self) -> Incoming:
        return self

    async def __anext__(self) -> bytes:
        while not self._messages:
            if self._has_ended:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        message = self._messages.popleft()
        self._waiting -= len(message)
        self._settle()
        return message

    def _settle(self) -> None:
        """Parts of a message that is not complete are never held back: it may be larger than any window."""
        if self._owed and self._waiting <= WAITING_MAX:
            owed, self._owed = self._owed, 0
            self._consumed(owed)

    def _stir(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
