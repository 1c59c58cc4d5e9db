"""The activities that this host runs: each known once, its time bounds kept, its answer brought home until taken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from holdfast_kit.clock import Clock
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityFailed, Failure
from holdfast_sidecar.actors.pool import Pool
from holdfast_sidecar.actors.ports import ActivityTask, CancelReason, Reply, no_reply
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.messages import ActivityAnswer, Message

_log = logging.getLogger(__name__)

_HEARTBEAT = "heartbeat"
_NANOS = 1_000_000_000
Key = tuple[str, str, int]


class ActivityHost:
    """`send` brings a message to the owner of its instance and calls back when that has it durably."""

    def __init__(self, pool: Pool, clock: Clock, send: Callable[[Message, Reply], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._send = send
        self._tasks: dict[Key, ActivityTask] = {}
        self._answering: set[Key] = set()  # answered here, not durable at the workflow yet
        pool.on_activity_pushed = self._pushed

    def __len__(self) -> int:
        return len(self._tasks)

    def known(self) -> Iterable[Key]:
        """What waits or runs here, and what is answered, but not durably."""
        return (*self._tasks, *self._answering)

    @property
    def is_at_work(self) -> bool:
        """Whether a worker is at something, or an answer on its way."""
        return bool(self._answering) or self._pool.running_activities > 0

    def knows(self, key: Key) -> bool:
        return key in self._tasks or key in self._answering

    def run(self, order: RunActivity) -> None:
        """A second order for what is queued or running here changes nothing."""
        key = (order.instance_id, order.execution_id, order.row)
        if self.knows(key):
            return
        self._tasks[key] = task = ActivityTask(order, self.answer)
        options = task.event.options
        if options is not None and options.schedule_to_start:
            self._bound(task, options.schedule_to_start, "schedule-to-start", CancelReason.TIMED_OUT)
        self._pool.offer_activity(task)

    def stop(self, order: StopActivity) -> None:
        """Asks its worker to stop. One that never ran is answered by us; of an ended instance no answer is taken."""
        task = self._tasks.get((order.instance_id, order.execution_id, order.row))
        if task is None:
            return
        if order.has_ended:
            self.finish(task)
            self._pool.withdraw_activity(task, CancelReason.INSTANCE_ENDED)
        elif task.worker is not None and task.token:
            task.worker.cancel_activity(task, CancelReason.REQUESTED)
        else:
            self._pool.withdraw_activity(task, CancelReason.REQUESTED)
            self._fail(task, "ActivityCanceled", f"activity {task.event.name!r}: canceled before it ran")

    def drop_waiting(self) -> Sequence[Key]:
        """Forgets what no worker has begun: others have room for it."""
        waiting = {key: task for key, task in self._tasks.items() if not task.token}
        for task in waiting.values():
            self.finish(task)
            self._pool.withdraw_activity(task, CancelReason.REQUESTED)
        return tuple(waiting)

    def answer(self, task: ActivityTask, event: bytes, reply: Reply) -> None:
        self.bring_home(self.close(task, event), reply)

    def close(self, task: ActivityTask, event: bytes) -> ActivityAnswer:
        """Its worker is done with it. An order to run it again changes nothing until the workflow has the answer, which
        the caller brings there or says that it `arrived`."""
        self.finish(task)
        self._answering.add((task.instance_id, task.execution_id, task.row))
        return ActivityAnswer(instance_id=task.instance_id, execution_id=task.execution_id, row=task.row, event=event)

    def bring_home(self, answer: ActivityAnswer, reply: Reply = no_reply) -> None:
        def replied(error: HoldfastError | None) -> None:
            self.arrived(answer)
            reply(error)

        self._send(answer, replied)

    def arrived(self, answer: ActivityAnswer) -> None:
        self._answering.discard((answer.instance_id, answer.execution_id, answer.row))

    def finish(self, task: ActivityTask) -> None:
        self._cancel_bounds(task)
        self._tasks.pop((task.instance_id, task.execution_id, task.row), None)

    def heartbeat(self, task: ActivityTask, details: str) -> None:
        """The worker is still at it: the bound between two heartbeats starts anew."""
        task.details = details
        running = task.timers.get(_HEARTBEAT)
        if running is not None:
            running.cancel()
            self._bound_heartbeats(task)

    def _pushed(self, task: ActivityTask) -> None:
        self._cancel_bounds(task)
        options = task.event.options
        if options is not None and options.start_to_close:
            self._bound(task, options.start_to_close, "start-to-close", CancelReason.TIMED_OUT)
        self._bound_heartbeats(task)

    def _bound_heartbeats(self, task: ActivityTask) -> None:
        options = task.event.options
        if options is not None and options.heartbeat:
            self._bound(task, options.heartbeat, _HEARTBEAT, CancelReason.HEARTBEAT_TIMED_OUT)

    def _bound(self, task: ActivityTask, bound_ns: int, what: str, reason: CancelReason) -> None:
        seconds = bound_ns / _NANOS

        def overdue() -> None:
            self._pool.withdraw_activity(task, reason)
            message = f"activity {task.event.name!r}: no answer within its {what} bound of {seconds:g} s"
            self._fail(task, "ActivityTimeout", message)

        task.timers[what] = self._clock.call_later(seconds, overdue)

    def _fail(self, task: ActivityTask, kind: str, message: str) -> None:
        event = ActivityFailed(
            at=self._clock.now_ns(),
            seq=task.event.seq,
            failure=Failure(kind=kind, message=message),
            task_execution_id=task.event.task_execution_id,
        )
        self.answer(task, encode_event(event), no_reply)

    def _cancel_bounds(self, task: ActivityTask) -> None:
        if task.timers:
            for timer in task.timers.values():
                timer.cancel()
            task.timers.clear()
