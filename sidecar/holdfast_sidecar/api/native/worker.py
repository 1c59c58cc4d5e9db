"""One native worker: what it may be sent, what its copies of instances stand for, and its frames both ways."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from holdfast_proto.actions import (
    Action,
    CompleteWorkflow,
    ReplaceHistory,
    Stall,
    TerminateInstance,
)
from holdfast_proto.codec import action_of, encode_event
from holdfast_proto.codec.values import failure_of
from holdfast_proto.history import ActivityCompleted, ActivityFailed, StallReason
from holdfast_proto.v1 import history_pb2 as history_pb
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import ActivityTask, CancelReason, TurnTask, no_reply
from holdfast_sidecar.actors.workflow import Fused
from holdfast_sidecar.api.native.outbox import FRAME_BYTES_MAX, Outbox
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.messages import ActivityAnswer
from holdfast_sidecar.core.turn import TurnResult

_log = logging.getLogger(__name__)

CACHED_MAX: Final = 100_000  # instances of one worker that we keep count of
_UNCONFIRMED = (TerminateInstance, CompleteWorkflow, ReplaceHistory, Stall)


class Copy(Struct):
    """What the worker's run of an instance stands for."""

    execution_id: str
    count: int
    turn_token: int


class NativeWorker:
    """Implements the pool's Worker. `hello` is the first frame's."""

    def __init__(self, host: Host, hello: pb.WorkerHello, *, number: int) -> None:
        self.id = f"{hello.worker_id}/{number}"
        self.outbox = Outbox()
        self.free_turns = 0
        self.free_activities = 0
        self._host = host
        self._pool = host.pool
        self._workflows = {workflow.name: frozenset(workflow.versions) for workflow in hello.workflows}
        self._activities = frozenset(hello.activities)
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._copies_max = min(hello.cache_max or CACHED_MAX, CACHED_MAX)

    # -- the pool's side -------------------------------------------------------------------------------------------

    def takes_turn(self, name: str, label: str | None) -> bool:
        versions = self._workflows.get(name)
        return versions is not None and (not versions or label is None or label in versions)

    def takes_activity(self, name: str, version: str | None) -> bool:
        return name in self._activities

    def push_turn(self, task: TurnTask) -> None:
        self.free_turns -= 1
        copy = self._copies.get(task.instance_id)
        count = task.past_count
        if copy is not None and copy.execution_id == task.execution_id and copy.count == count:
            copy.turn_token = task.token
            self._put_turn(task, past_count=count, past=[])
            return
        self._remember(task, count)
        self._put_whole(task)

    def push_activity(self, task: ActivityTask) -> None:
        self.free_activities -= 1
        item = self.outbox.room(len(task.data)).activities.add()
        item.token = task.token
        item.instance_id = task.instance_id
        item.execution_id = task.execution_id
        item.event = task.data
        item.delivery = task.attempt
        if task.details:
            item.heartbeat_details = task.details

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        item = self.outbox.room(16).cancels.add()
        item.token = task.token
        item.reason = reason.value  # type: ignore[assignment]  # the numbers are the same by definition

    def drain(self) -> None:
        """Nothing new goes to this worker, whatever credits still come."""
        self.free_turns = self.free_activities = -(1 << 30)

    def forget(self, instance_id: str) -> None:
        copy = self._copies.pop(instance_id, None)
        if copy is not None:
            item = self.outbox.room(64).drops.add()
            item.instance_id = instance_id
            item.execution_id = copy.execution_id

    def _remember(self, task: TurnTask, count: int) -> None:
        self._copies[task.instance_id] = Copy(task.execution_id, count, task.token)
        self._copies.move_to_end(task.instance_id)
        if len(self._copies) > self._copies_max:
            self._copies.popitem(last=False)

    def _put_turn(self, task: TurnTask, *, past_count: int, past: list[bytes], has_more: bool = False) -> None:
        size = sum(map(len, past)) + sum(map(len, task.new))
        item = self.outbox.room(size).turns.add()
        item.token = task.token
        item.instance_id = task.instance_id
        item.execution_id = task.execution_id
        item.generation = task.generation
        item.name = task.name
        item.past_count = past_count
        item.has_more = has_more
        item.is_repaired = task.is_repaired
        if past:
            item.past.extend(past)
        if not has_more:
            item.new.extend(task.new)

    def _put_whole(self, task: TurnTask) -> None:
        """The whole history, in as many pieces as its size needs."""
        piece, size, first = list[bytes](), 0, 0
        for row in range(task.past_count):
            data = task.history[row]
            if size + len(data) > FRAME_BYTES_MAX and piece:
                self._put_turn(task, past_count=first, past=piece, has_more=True)
                piece, size, first = [], 0, row
            piece.append(data)
            size += len(data)
        self._put_turn(task, past_count=first, past=piece)

    # -- the stream's side -----------------------------------------------------------------------------------------

    def take(self, frame: pb.WorkerFrame) -> None:
        for turn in frame.turns:
            self._turn_done(turn)
        for activity in frame.activities:
            self._activity_done(activity)
        for step in frame.fused:
            self._fused(step)
        for beat in frame.heartbeats:
            task = self._pool.peek_activity(beat.token)
            if task is not None:
                self._host.activities.heartbeat(task, beat.details)
        for forgotten in frame.forgotten:
            self._copies.pop(forgotten.instance_id, None)
        if frame.HasField("credits"):
            self.free_turns += frame.credits.turns
            self.free_activities += frame.credits.activities
        if frame.draining:
            self.drain()
        self._pool.refill(self)

    def _turn_done(self, done: pb.TurnDone) -> None:
        if done.abandoned:
            self._pool.give_back_turn(done.token)
            return
        if done.needs_history:
            self._resend(done.token)
            return
        task = self._pool.take_turn(done.token)
        if task is None:
            return
        actions = self._actions(done.actions)
        copy = self._copies.get(task.instance_id)
        if copy is not None:
            if done.is_cached:
                copy.count = task.past_count + len(task.new) + _confirmed(actions)
            else:
                del self._copies[task.instance_id]
        task.on_done(
            task,
            TurnResult(
                actions=actions,
                custom_status=_custom_status(done),
                patches=tuple(done.patches),
                version_name=done.version_name if done.HasField("version_name") else None,
                dialect="native",
            ),
        )

    def _resend(self, token: int) -> None:
        task = self._pool.peek_turn(token)
        if task is not None:
            self._remember(task, task.past_count)
            self._put_whole(task)

    def _activity_done(self, done: pb.ActivityDone) -> None:
        if done.abandoned:
            self._pool.give_back_activity(done.token)
            return
        task = self._pool.take_activity(done.token)
        if task is not None:
            task.on_done(task, encode_event(self._event(task, done)), no_reply)

    def _fused(self, step: pb.FusedStep) -> None:
        answers: list[tuple[ActivityAnswer, ActivityCompleted | ActivityFailed]] = []
        for done in step.results:
            task = self._pool.take_activity(done.token)
            if task is None:
                continue
            self._host.activities.finish(task)
            event = self._event(task, done)
            answer = ActivityAnswer(
                instance_id=task.instance_id,
                execution_id=task.execution_id,
                row=task.row,
                event=encode_event(event),
            )
            answers.append((answer, event))
        if not answers:
            self._forget_turn(step.turn_token)
            return
        instance_id = answers[0][0].instance_id
        copy = self._copies.get(instance_id)
        if copy is None or copy.turn_token != step.turn_token or len(answers) != len(step.results):
            self.forget(instance_id)
            for answer, _ in answers:
                self._host.router.send(answer, no_reply)
            return
        self._post_fused(step, copy, answers)

    def _forget_turn(self, token: int) -> None:
        """The worker fed its run with answers that came too late. Rare, so a search will do."""
        for instance_id, copy in self._copies.items():
            if copy.turn_token == token:
                self.forget(instance_id)
                return

    def _post_fused(
        self, step: pb.FusedStep, copy: Copy, answers: list[tuple[ActivityAnswer, ActivityCompleted | ActivityFailed]]
    ) -> None:
        actions = self._actions(step.actions)
        instance_id = answers[0][0].instance_id
        if step.is_cached:
            copy.count = step.based_on + 1 + len(answers) + _confirmed(actions)
        else:
            del self._copies[instance_id]
        result = TurnResult(
            actions=actions,
            custom_status=_custom_status(step),
            patches=tuple(step.patches),
            version_name=step.version_name if step.HasField("version_name") else None,
            dialect="native",
        )

        def replied(error: HoldfastError | None) -> None:
            if error is not None:  # the step is lost, its results need not be
                for answer, _ in answers:
                    self._host.router.send(answer, no_reply)

        self._host.post_fused(Fused(tuple(answers), step.turn_time, step.based_on, result, self), replied)

    def _event(self, task: ActivityTask, done: pb.ActivityDone) -> ActivityCompleted | ActivityFailed:
        now, scheduled = self._host.clock.now_ns(), task.event
        if done.HasField("failure"):
            failure = failure_of(done.failure)
            return ActivityFailed(
                at=now, seq=scheduled.seq, failure=failure, task_execution_id=scheduled.task_execution_id
            )
        result = done.result if done.HasField("result") else None
        return ActivityCompleted(
            at=now, seq=scheduled.seq, result=result, task_execution_id=scheduled.task_execution_id
        )

    def _actions(self, messages: Iterable[history_pb.Action]) -> list[Action]:
        try:
            return [action_of(message) for message in messages]
        except ValueError as error:
            return [Stall(reason=StallReason.CONTRADICTION, description=str(error))]


def _custom_status(done: pb.TurnDone | pb.FusedStep) -> str | UnsetType | None:
    if done.clears_custom_status:
        return None
    return done.custom_status if done.HasField("custom_status") else UNSET


def _confirmed(actions: list[Action]) -> int:
    return sum(not isinstance(action, _UNCONFIRMED) for action in actions)
