"""What one instance has sent and nobody has confirmed yet: each message once in flight, and again after a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from holdfast_kit.clock import Clock
from holdfast_sidecar.actors.ports import Reply, Router
from holdfast_sidecar.core.decision import RESEND_AFTER, Send
from holdfast_sidecar.core.errors import HoldfastError, Kind

_Key: TypeAlias = tuple[str, str, int]
Sent: TypeAlias = Callable[[Send, str, HoldfastError | None], None]

_SECONDS = 1e-9


class Sending:
    """`on_sent(order, era, error)` hears of each message that was taken, or refused for good.

    An era is one generation of one run: the rows of its history, which tell its children apart, are its own.
    """

    __slots__ = ("_clock", "_in_flight", "_on_sent")

    def __init__(self, clock: Clock, on_sent: Sent) -> None:
        self._clock = clock
        self._on_sent = on_sent
        self._in_flight: set[_Key] = set()

    def __len__(self) -> int:
        return len(self._in_flight)

    def send(self, router: Router, order: Send, era: str) -> None:
        """Does nothing when that very message is in flight already."""
        key = (order.name, "", -1) if order.name else ("", era, order.row)
        if key not in self._in_flight:
            self._in_flight.add(key)
            router.send(order.message, self._replied(router, order, era, key))

    def forget(self) -> None:
        """Replies to what was sent until now change nothing any more."""
        self._in_flight = set()

    def _replied(self, router: Router, order: Send, era: str, key: _Key) -> Reply:
        mine = self._in_flight

        def again() -> None:
            if mine is self._in_flight:
                router.send(order.message, replied)

        def replied(error: HoldfastError | None) -> None:
            if mine is not self._in_flight or key not in mine:
                return
            if error is not None and error.kind is Kind.UNAVAILABLE:  # the router has given up, the sender has not
                self._clock.call_later(RESEND_AFTER * _SECONDS, again)
                return
            mine.discard(key)
            self._on_sent(order, era, error)

        return replied
