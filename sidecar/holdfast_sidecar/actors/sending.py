"""What one instance has sent and nobody has confirmed yet: each message once in flight, and again after a while.

No object here knows one that knows it: an instance that is unloaded must be gone without the garbage collector, which
is told to look rarely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, assert_never

from holdfast_kit.clock import Clock
from holdfast_sidecar.actors.ports import Router
from holdfast_sidecar.core.decision import RESEND_AFTER, Order, RunActivity, Send, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Kind
from holdfast_sidecar.core.instance import Instance
from holdfast_sidecar.core.messages import decode_message

_Key: TypeAlias = tuple[str, str, int]
Sent: TypeAlias = Callable[[Send, str, HoldfastError | None], None]

_SECONDS = 1e-9


class Sending:
    """An era is one generation of one run: the rows of its history, which tell its children apart, are its own."""

    __slots__ = ("_clock", "_in_flight")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_flight: set[_Key] = set()

    def __len__(self) -> int:
        return len(self._in_flight)

    def send_all(
        self,
        router: Router,
        orders: Sequence[Order],
        instance: Instance | None,
        on_sent: Sent,
        *,
        is_again: bool = False,
    ) -> None:
        """What a commit ordered, once it is durable. `is_again`: what may have been sent before."""
        is_alone = instance is not None and len(instance.open.activities) == 1
        for order in orders:
            match order:
                case RunActivity():
                    router.run_activity(order, is_alone=is_alone, is_again=is_again)
                case StopActivity():
                    router.stop_activity(order)
                case Send():
                    if instance is not None:
                        self.send(router, order, era_of(instance), on_sent)
                case _:
                    assert_never(order)

    def resend(self, router: Router, instance: Instance, name: str, on_sent: Sent) -> None:
        """A message of the outbox, unless its receiver is known to have it."""
        data = instance.outbox.get(name)
        if data is not None and name not in instance.confirmed:
            self.send(router, Send(name, decode_message(data)), era_of(instance), on_sent)

    def send(self, router: Router, order: Send, era: str, on_sent: Sent) -> None:
        """`on_sent(order, era, error)` hears of it when it was taken, or refused for good. Does nothing when that very
        message is in flight already."""
        key = (order.name, "", -1) if order.name else ("", era, order.row)
        if key not in self._in_flight:
            self._in_flight.add(key)
            _Shipment(self._clock, router, order, era, on_sent, key=key, mine=self._in_flight, of=self).go()

    def forget(self) -> None:
        """Replies to what was sent until now change nothing any more."""
        self._in_flight = set()

    def is_current(self, in_flight: set[_Key]) -> bool:
        return in_flight is self._in_flight


class _Shipment:
    """One message in flight."""

    __slots__ = ("_clock", "_era", "_key", "_mine", "_of", "_on_sent", "_order", "_router")

    def __init__(
        self,
        clock: Clock,
        router: Router,
        order: Send,
        era: str,
        on_sent: Sent,
        *,
        key: _Key,
        mine: set[_Key],
        of: Sending,
    ) -> None:
        self._clock = clock
        self._router = router
        self._order = order
        self._era = era
        self._on_sent = on_sent
        self._key = key
        self._mine = mine
        self._of = of

    def go(self) -> None:
        if self._of.is_current(self._mine):
            self._router.send(self._order.message, self._replied)

    def _replied(self, error: HoldfastError | None) -> None:
        if not self._of.is_current(self._mine) or self._key not in self._mine:
            return
        if error is not None and error.kind is Kind.UNAVAILABLE:  # the router has given up, the sender has not
            self._clock.call_later(RESEND_AFTER * _SECONDS, self.go)
            return
        self._mine.discard(self._key)
        self._on_sent(self._order, self._era, error)


def era_of(instance: Instance) -> str:
    return f"{instance.record.execution_id}/{instance.record.generation}"
