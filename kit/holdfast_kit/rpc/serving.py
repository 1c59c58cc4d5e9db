"""One call at a server: its messages in, its handler's task if it has one, its answer out.

headers -> (one message, or the first of many) -> handler -> messages -> trailers -> over
                                              caller hangs up, or its deadline passes: the handler is cancelled
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, assert_never

from holdfast_kit.clock import Clock, Handle
from holdfast_kit.rpc.call import Incoming, ManyToMany, Method, OneToMany, OneToOne, ToldToOne
from holdfast_kit.rpc.connection import Connection
from holdfast_kit.rpc.messages import Messages, framed
from holdfast_kit.rpc.status import HEAD, OK_TRAILERS, Aborted, Status, trailers

if TYPE_CHECKING:
    from holdfast_kit.rpc.server import Link

_log = logging.getLogger(__name__)


class Serving:
    """Implements `Call` for a handler with a task, `Reply` for one without."""

    __slots__ = (
        "_connection",
        "_drained",
        "_has_begun",
        "_incoming",
        "_is_over",
        "_link",
        "_messages",
        "_method",
        "_request",
        "_stream_id",
        "_task",
        "_timer",
        "metadata",
    )

    def __init__(
        self, link: Link, connection: Connection, stream_id: int, method: Method, metadata: Mapping[str, str]
    ) -> None:
        self.metadata = metadata
        self._link = link
        self._connection = connection
        self._stream_id = stream_id
        self._method = method
        self._messages = Messages()
        self._request: bytes | None = None  # of a method that takes one message
        self._incoming: Incoming | None = None  # of one that takes many
        self._task: asyncio.Task[None] | None = None
        self._timer: Handle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._has_begun = False
        self._is_over = False

    @property
    def peer(self) -> str:
        return self._link.peer

    # -- the link's side -------------------------------------------------------------------------------------------

    def begin_reading(self, encoding: str, *, timeout: float | None, clock: Clock) -> None:
        if encoding != "identity":
            self._messages = Messages(encoding)
        if timeout is not None:
            self._timer = clock.call_later(timeout, self._expired)
        if isinstance(self._method, ManyToMany):
            self._incoming = Incoming(self._consumed)
            self._task = self._link.run(self)

    def data(self, data: bytes, *, ends: bool) -> None:
        try:
            messages = self._messages.take(data) if data else []
            if ends and not self._messages.is_between:
                raise Aborted(Status.INTERNAL, "the call ended inside a message")
            if self._incoming is None:
                self._take_one(messages, size=len(data), ends=ends)
                return
        except Aborted as error:
            self.refuse(error)
            self._cancel()
            return
        self._incoming.put(messages, size=len(data))
        if ends:
            self._incoming.end()

    def _take_one(self, messages: list[bytes], *, size: int, ends: bool) -> None:
        self._connection.consumed(self._stream_id, size)  # the link says so when it has taken all that came
        if len(messages) + (self._request is not None) > 1 or (ends and not messages and self._request is None):
            raise Aborted(Status.UNIMPLEMENTED, "this method takes exactly one message")
        if messages:
            self._request = messages[0]
        if ends:
            if isinstance(self._method, ToldToOne):
                self._tell(self._method)
            else:
                self._task = self._link.run(self)

    def _tell(self, method: ToldToOne) -> None:
        assert self._request is not None
        try:
            method.run(self._request, self)
        except Exception as error:  # noqa: BLE001 - the edge of the call
            self.refuse(error)

    def hung_up(self) -> None:
        """Nobody hears the answer any more."""
        self._is_over = True
        self._stop_timer()
        self._cancel()

    def drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # -- the handler's side ----------------------------------------------------------------------------------------

    def begin(self) -> None:
        if not (self._has_begun or self._is_over):
            self._has_begun = True
            self._connection.send_headers(self._stream_id, HEAD)
            self._link.flush_soon()

    async def write(self, message: bytes, /) -> None:
        if self._is_over:
            return
        self.begin()
        self._link.flush_soon()
        if not self._connection.send_data(self._stream_id, framed(message)):
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def answer(self, message: bytes, /) -> None:
        if self._is_over:
            return
        if not self._has_begun:
            self._connection.send_headers(self._stream_id, HEAD)
        self._connection.send_data(self._stream_id, framed(message))
        self._finish(OK_TRAILERS, can_wait=isinstance(self._method, ToldToOne) and self._method.can_wait)

    def refuse(self, error: Exception, /) -> None:
        """Only what is Aborted may say why."""
        if isinstance(error, Aborted):
            block = trailers(error.status, error.text, with_head=not self._has_begun)
        else:
            _log.error("a handler failed", exc_info=error, extra={"path": self.metadata.get(":path", "")})
            block = trailers(Status.UNKNOWN, type(error).__name__, with_head=not self._has_begun)
        self._finish(block)

    # -- its life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await self._run(self._method)
        except asyncio.CancelledError:
            self._finish(trailers(Status.CANCELLED, "the call was cancelled", with_head=not self._has_begun))
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the call
            self.refuse(error)

    async def _run(self, method: Method) -> None:
        match method:
            case OneToOne():
                assert self._request is not None
                self.answer(await method.run(self._request, self))
                return
            case OneToMany():
                assert self._request is not None
                await method.run(self._request, self)
            case ManyToMany():
                assert self._incoming is not None
                await method.run(self._incoming, self)
            case ToldToOne():
                raise AssertionError("it has no task")
            case _:
                assert_never(method)
        if not self._is_over:
            self.begin()
            self._finish(OK_TRAILERS)

    def _finish(self, block: bytes, *, can_wait: bool = False) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._stop_timer()
        self._connection.send_end(self._stream_id, block)
        self._link.over(self._stream_id, can_wait=can_wait)

    def _expired(self) -> None:
        self._finish(trailers(Status.DEADLINE_EXCEEDED, "the caller's deadline passed", with_head=not self._has_begun))
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _consumed(self, size: int) -> None:
        self._connection.consumed(self._stream_id, size)
        if self._connection.has_output:
            self._link.flush_soon()
