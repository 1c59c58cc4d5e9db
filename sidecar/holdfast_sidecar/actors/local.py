"""The router of a host that owns everything: no peers, no table, the same calls."""

from __future__ import annotations

from collections.abc import Callable

from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Kind
from holdfast_sidecar.core.messages import Message

RESEND_FIRST, RESEND_CAP = 0.1, 5.0


class LocalRouter:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._is_stopped = False

    def stop(self) -> None:
        self._is_stopped = True

    def ask(self, message: Message, reply: Reply) -> None:
        """Once: the caller hears at once what went wrong."""
        self._host.post(message, reply)

    def send(self, message: Message, reply: Reply, *, delay: float = RESEND_FIRST) -> None:
        """Until it is taken or refused for good: between instances a passing fault is nobody's business."""

        def replied(error: HoldfastError | None) -> None:
            if error is None or error.kind is not Kind.UNAVAILABLE or self._is_stopped:
                reply(error)
            else:
                again = min(delay * 2, RESEND_CAP)
                self._host.clock.call_later(delay, lambda: self.send(message, reply, delay=again))

        self._host.post(message, replied)

    def run_activity(self, order: RunActivity, *, is_alone: bool = False, is_again: bool = False) -> None:
        self._host.activities.run(order)

    def stop_activity(self, order: StopActivity) -> None:
        self._host.activities.stop(order)

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        return self._host.watchers.add(instance_id, watch, for_end=for_end)

    def will_tell(self, instance_id: str, *, for_end: bool) -> bool:
        return self._host.will_tell(instance_id, for_end=for_end)
