"""One peer as this host sees it: what waits for its answer, what it asked of us. No I/O: frames come and go by calls.

A link may break at any time. What was not answered then is given back to the router, which asks the owner of the
moment again; every message is idempotent, so being heard twice is harmless. Orders are not answered: the router knows
which activities are away, and gives them again when a link is new.

Bounds: what the peer has not answered (ASKED_MAX), and with it what it asks of us. Orders are the peer's share of the
open activities of the instances in memory, watches those of waiting clients; both are bounded where they come from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import count
from typing import Protocol

from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.cluster.outgoing import Outgoing
from holdfast_sidecar.cluster.words import (
    Answer,
    Envelope,
    Frame,
    RunOrder,
    StopOrder,
    Told,
    WatchOrder,
    Which,
    error_of,
    refusal_of,
    weight_of_message,
    weight_of_view,
)
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Unavailable
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.core.state import View

_log = logging.getLogger(__name__)

ASKED_MAX = 20_000  # without an answer: about what a host does in seconds; a peer that is slower takes no more


class Local(Protocol):
    """What a peer may ask of this host."""

    def post(self, message: Message, reply: Reply) -> None: ...

    def run_order(self, host_id: str, order: RunOrder) -> None: ...

    def stop_order(self, order: StopOrder) -> None: ...

    def watch_local(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]: ...

    def held_at(self, host_id: str, which: Which) -> None: ...

    def returned_by(self, host_id: str, which: Which) -> None: ...

    def peer_changed(self) -> None:
        """It hears placement again, or no more; or it follows another table."""
        ...


class Peer:
    def __init__(self, host_id: str, local: Local, *, wake: Callable[[], None]) -> None:
        self.host_id = host_id
        self.is_connected = False
        self.hears_placement = True  # until it says otherwise
        self.follows = -1  # the version of the table that it follows, and by which it has told us what it is at
        self._local = local
        self._wake = wake  # something waits to be sent
        self._numbers = count(1)
        self._outgoing = Outgoing()
        self._asked: dict[int, Reply] = {}
        self._watched: dict[int, Watch] = {}  # ours, at the peer
        self._watching: dict[int, Callable[[], None]] = {}  # the peer's, here

    # -- asking the peer -------------------------------------------------------------------------------------------

    def ask(self, message: Message, reply: Reply) -> None:
        if not self.is_connected:
            reply(Unavailable(f"host {self.host_id!r}: no connection to it at the moment; try again"))
            return
        if len(self._asked) >= ASKED_MAX:
            reply(Unavailable(f"host {self.host_id!r}: it has {ASKED_MAX} messages to answer; try again"))
            return
        number = next(self._numbers)
        self._asked[number] = reply
        self._outgoing.room(weight_of_message(message)).messages.append(Envelope(number, message))
        self._wake()

    def run(self, order: RunActivity) -> None:
        """Lost while there is no link."""
        if self.is_connected:
            run = RunOrder(order.instance_id, order.execution_id, order.row, order.data)
            self._outgoing.room(len(order.data)).runs.append(run)
            self._wake()

    def stop(self, order: StopActivity) -> None:
        """Lost while there is no link."""
        if self.is_connected:
            stop = StopOrder(order.instance_id, order.execution_id, order.seq, order.row, order.has_ended)
            self._outgoing.room().stops.append(stop)
            self._wake()

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        number = next(self._numbers)
        self._watched[number] = watch
        self._outgoing.room().watches.append(WatchOrder(number, instance_id, for_end))
        self._wake()

        def stop() -> None:
            if self._watched.pop(number, None) is not None:
                self._outgoing.room().unwatches.append(number)
                self._wake()

        return stop

    def tell_trust(self, *, hears_placement: bool) -> None:
        """Whether we hear placement: together, peers can tell a dead placement from a cut-off host."""
        self._outgoing.room().hears_placement = hears_placement
        self._wake()

    def tell_held(self, held: Iterable[Which], *, follows: int) -> None:
        """All activities of the peer's instances that it cannot know we are at, and then by which table."""
        for which in held:
            self._outgoing.room().held.append(which)
        self._outgoing.room().applied = follows
        self._wake()

    def give_back(self, which: Which) -> None:
        """Lost while there is no link."""
        if self.is_connected:
            self._outgoing.room().returned.append(which)
            self._wake()

    # -- the link --------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        self.is_connected = True

    def broken(self) -> None:
        """The link is gone: nobody knows what was heard. Whoever asked is told so; the peer's watches end."""
        self.is_connected = False
        self.hears_placement = True
        self.follows = -1
        self._outgoing.forget()
        asked, self._asked = self._asked, {}
        watching, self._watching = self._watching, {}
        self._watched.clear()
        for stop in watching.values():
            stop()
        for reply in asked.values():
            reply(Unavailable(f"host {self.host_id!r}: the connection to it broke; try again"))

    def next_frame(self) -> Frame | None:
        """What gathered, or as much of it as a frame holds; None when nothing waits."""
        return self._outgoing.next()

    def take(self, frame: Frame) -> None:
        for which in frame.held:
            self._local.held_at(self.host_id, which)
        if frame.applied is not None or frame.hears_placement is not None:
            self._take_news(frame)
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
            self._local.run_order(self.host_id, run)
        for stop in frame.stops:
            self._local.stop_order(stop)
        for order in frame.watches:
            self._watch_here(order)
        for number in frame.unwatches:
            unwatch = self._watching.pop(number, None)
            if unwatch is not None:
                unwatch()
        for which in frame.returned:
            self._local.returned_by(self.host_id, which)

    def _take_news(self, frame: Frame) -> None:
        follows = self.follows if frame.applied is None else frame.applied
        hears = self.hears_placement if frame.hears_placement is None else frame.hears_placement
        if (follows, hears) != (self.follows, self.hears_placement):
            self.follows, self.hears_placement = follows, hears
            self._local.peer_changed()

    def _answering(self, number: int) -> Reply:
        def reply(error: HoldfastError | None) -> None:
            if self.is_connected:
                self._outgoing.room().answers.append(Answer(number, None if error is None else refusal_of(error)))
                self._wake()

        return reply

    def _watch_here(self, order: WatchOrder) -> None:
        def tell(view: View | None) -> None:
            self._watching.pop(order.number, None)
            if self.is_connected:
                self._outgoing.room(weight_of_view(view)).told.append(Told(order.number, view))
                self._wake()

        self._watching[order.number] = self._local.watch_local(order.instance_id, tell, for_end=order.for_end)
