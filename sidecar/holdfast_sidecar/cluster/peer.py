"""One peer as this host sees it: what waits for its answer, what it asked of us. No I/O: frames come and go by calls.

A link may break at any time. What was not answered then is given back to the router, which asks the owner of the
moment again; every message is idempotent, so being heard twice is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import Protocol

from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.cluster.words import (
    Answer,
    Envelope,
    Frame,
    RunOrder,
    StopOrder,
    Told,
    WatchOrder,
    error_of,
    refusal_of,
)
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Unavailable
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.core.state import View

_log = logging.getLogger(__name__)

ITEMS_MAX = 256  # of one frame: see performance, a frame costs 30 us whatever is in it


class Local(Protocol):
    """What a peer may ask of this host."""

    def post(self, message: Message, reply: Reply) -> None: ...

    def run_order(self, order: RunOrder) -> None: ...

    def stop_order(self, order: StopOrder) -> None: ...

    def watch_local(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]: ...

    def peer_trust_changed(self) -> None: ...


class Peer:
    def __init__(self, host_id: str, local: Local, *, wake: Callable[[], None]) -> None:
        self.host_id = host_id
        self.is_connected = False
        self.hears_placement = True  # until it says otherwise
        self._local = local
        self._wake = wake  # something waits to be sent
        self._numbers = count(1)
        self._frame = Frame()
        self._asked: dict[int, Reply] = {}
        self._watched: dict[int, Watch] = {}  # ours, at the peer
        self._watching: dict[int, Callable[[], None]] = {}  # the peer's, here

    # -- asking the peer -------------------------------------------------------------------------------------------

    def ask(self, message: Message, reply: Reply) -> None:
        if not self.is_connected:
            reply(Unavailable(f"host {self.host_id!r}: no connection to it at the moment; try again"))
            return
        number = next(self._numbers)
        self._asked[number] = reply
        self._frame.messages.append(Envelope(number, message))
        self._wake()

    def run(self, order: RunActivity) -> None:
        self._frame.runs.append(RunOrder(order.instance_id, order.execution_id, order.row, order.data))
        self._wake()

    def stop(self, order: StopActivity) -> None:
        self._frame.stops.append(
            StopOrder(order.instance_id, order.execution_id, order.seq, order.row, order.has_ended)
        )
        self._wake()

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        number = next(self._numbers)
        self._watched[number] = watch
        self._frame.watches.append(WatchOrder(number, instance_id, for_end))
        self._wake()

        def stop() -> None:
            if self._watched.pop(number, None) is not None:
                self._frame.unwatches.append(number)
                self._wake()

        return stop

    def tell_trust(self, *, hears_placement: bool) -> None:
        """Whether we hear placement: together, peers can tell a dead placement from a cut-off host."""
        self._frame.hears_placement = hears_placement
        self._wake()

    # -- the link --------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        self.is_connected = True

    def broken(self) -> None:
        """The link is gone: nobody knows what was heard. Whoever asked is told so; the peer's watches end."""
        self.is_connected = False
        self.hears_placement = True
        self._frame = Frame()
        asked, self._asked = self._asked, {}
        watching, self._watching = self._watching, {}
        self._watched.clear()
        for stop in watching.values():
            stop()
        for reply in asked.values():
            reply(Unavailable(f"host {self.host_id!r}: the connection to it broke; try again"))

    def next_frame(self) -> Frame | None:
        """What gathered, at most ITEMS_MAX messages; None when nothing waits."""
        frame = self._frame
        if frame.is_empty:
            return None
        self._frame = Frame()
        if len(frame.messages) > ITEMS_MAX:
            self._frame.messages = frame.messages[ITEMS_MAX:]
            frame.messages = frame.messages[:ITEMS_MAX]
        if len(frame.runs) > ITEMS_MAX:
            self._frame.runs = frame.runs[ITEMS_MAX:]
            frame.runs = frame.runs[:ITEMS_MAX]
        return frame

    def take(self, frame: Frame) -> None:
        if frame.hears_placement is not None and frame.hears_placement is not self.hears_placement:
            self.hears_placement = frame.hears_placement
            self._local.peer_trust_changed()
        for answer in frame.answers:
            reply = self._asked.pop(answer.number, None)
            if reply is not None:
                reply(None if answer.refusal is None else error_of(answer.refusal))
        for told in frame.told:
            watch = self._watched.pop(told.number, None)
            if watch is not None:
                watch(told.view)
        for envelope in frame.messages:
            self._local.post(envelope.message, self._answering(envelope.number))
        for run in frame.runs:
            self._local.run_order(run)
        for stop in frame.stops:
            self._local.stop_order(stop)
        for order in frame.watches:
            self._watch_here(order)
        for number in frame.unwatches:
            unwatch = self._watching.pop(number, None)
            if unwatch is not None:
                unwatch()

    def _answering(self, number: int) -> Reply:
        def reply(error: HoldfastError | None) -> None:
            if self.is_connected:
                self._frame.answers.append(Answer(number, None if error is None else refusal_of(error)))
                self._wake()

        return reply

    def _watch_here(self, order: WatchOrder) -> None:
        def tell(view: View | None) -> None:
            self._watching.pop(order.number, None)
            if self.is_connected:
                self._frame.told.append(Told(order.number, view))
                self._wake()

        self._watching[order.number] = self._local.watch_local(order.instance_id, tell, for_end=order.for_end)
