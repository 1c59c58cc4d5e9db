"""Between a host and its router: asks of all that leaves whether it was durable first, delays it, sends it twice.

And of every turn: may this host start one? It may while placement hears it, or when nobody at all is heard.
"""

from __future__ import annotations

from random import Random

from holdfast_sidecar.actors.ports import Reply, Router, no_reply
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.messages import Message
from tests.simulation.clock import SimClock
from tests.simulation.disk import Journal, Violation
from tests.simulation.process import Weather, check_departure


class Witness:
    """The router that a host's actors see."""

    def __init__(self, router: Router, *, journal: Journal, clock: SimClock, rng: Random, weather: Weather) -> None:
        self._router = router
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._weather = weather

    def send(self, message: Message, reply: Reply) -> None:
        check_departure(message, self._journal)
        rng, weather, router = self._rng, self._weather, self._router
        if rng.random() < weather.duplicates:
            self._clock.call_later(rng.random() * 3, lambda: router.send(message, no_reply))
        if rng.random() < weather.delays:
            self._clock.call_later(rng.random(), lambda: router.send(message, reply))
        else:
            router.send(message, reply)

    def run_activity(self, order: RunActivity, *, is_alone: bool = False, is_again: bool = False) -> None:
        if (order.instance_id, order.execution_id, order.row, order.data) not in self._journal.scheduled:
            raise Violation(f"{order.instance_id}: activity {order.event.seq} is sent before its schedule is durable")
        self._router.run_activity(order, is_alone=is_alone, is_again=is_again)

    def stop_activity(self, order: StopActivity) -> None:
        self._router.stop_activity(order)
