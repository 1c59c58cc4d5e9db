"""One native worker: what it may be sent, what its copies of instances stand for, and its frames both ways."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Sequence
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
from holdfast_proto.history import StallReason
from holdfast_proto.v1 import history_pb2 as history_pb
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.incoming import Fused
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, TurnTask, no_reply
from holdfast_sidecar.api.answers import Outcome, outcome_of
from holdfast_sidecar.api.native.outbox import FRAME_BYTES_MAX, Outbox
from holdfast_sidecar.core.messages import ActivityAnswer
from holdfast_sidecar.core.turn import TurnResult

_log = logging.getLogger(__name__)

CACHED_MAX: Final = 100_000  # instances of one worker that we keep count of
_UNCONFIRMED = (TerminateInstance, CompleteWorkflow, ReplaceHistory, Stall)


class Copy(Struct, gc=False):
    """What the worker's run of an instance stands for."""

    execution_id: str
    generation: int
    count: int
    turn_token: int
    is_fresh: bool = True  # the last turn was sent with its whole history


class NativeWorker:
    """Implements the pool's Worker. `hello` is the first frame's."""

    def __init__(self, host: Host, hello: pb.WorkerHello, *, number: int) -> None:
        self.id = f"{hello.worker_id}/{number}"
        self.outbox = Outbox()
        self._turn_credits = 0
        self._activity_credits = 0
        self._is_draining = False
        self._host = host
        self._pool = host.pool
        self._workflows = {workflow.name: frozenset(workflow.versions) for workflow in hello.workflows}
        self._activities = frozenset(hello.activities)
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._copies_max = min(hello.cache_max or CACHED_MAX, CACHED_MAX)

    # -- the pool's side -------------------------------------------------------------------------------------------

    @property
    def free_turns(self) -> int:
        return 0 if self._is_draining else self._turn_credits

    @property
    def free_activities(self) -> int:
        return 0 if self._is_draining else self._activity_credits

    @property
    def patience(self) -> float:
        """Nothing in it stands still until an answer of its is durable."""
        return SAVE_AFTER

    def takes_turn(self, name: str, label: str | None) -> bool:
        versions = self._workflows.get(name)
        return versions is not None and (not versions or label is None or label in versions)

    def takes_activity(self, name: str, version: str | None) -> bool:
        return name in self._activities

    def push_turn(self, task: TurnTask) -> None:
        self._turn_credits -= 1
        copy = self._copies.get(task.instance_id)
        run = (task.execution_id, task.generation, task.past_count)
        if copy is not None and (copy.execution_id, copy.generation, copy.count) == run:
            copy.turn_token, copy.is_fresh = task.token, False
            self._put_turn(task, past_count=task.past_count, past=[])
            return
        self._remember(task)
        self._put_whole(task)

    def push_activity(self, task: ActivityTask) -> None:
        self._activity_credits -= 1
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
        self._is_draining = True

    def forget(self, instance_id: str) -> None:
        copy = self._copies.pop(instance_id, None)
        if copy is not None:
            self._drop(instance_id, copy.execution_id)

    def _drop(self, instance_id: str, execution_id: str) -> None:
        item = self.outbox.room(64).drops.add()
        item.instance_id = instance_id
        item.execution_id = execution_id
        self.outbox.cut()  # turns of a frame come before its drops, and the next one of this instance must not

    def _remember(self, task: TurnTask) -> None:
        self._copies[task.instance_id] = Copy(task.execution_id, task.generation, task.past_count, task.token)
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
            if task is not None and task.worker is self:
                self._host.activities.heartbeat(task, beat.details)
        for forgotten in frame.forgotten:
            self._copies.pop(forgotten.instance_id, None)
        if frame.HasField("credits"):
            self._turn_credits += frame.credits.turns
            self._activity_credits += frame.credits.activities
        if frame.draining:
            self.drain()
        self._pool.refill(self)

    def _turn_done(self, done: pb.TurnDone) -> None:
        task = self._pool.peek_turn(done.token)
        if task is None or task.worker is not self:
            return
        copy = self._copies.get(task.instance_id)
        if done.abandoned or (done.needs_history and (copy is None or copy.is_fresh)):
            self._copies.pop(task.instance_id, None)
            self._pool.give_back_turn(done.token)
        elif done.needs_history:
            del self._copies[task.instance_id]
            self._turn_credits += 1  # the one that the turn was first sent for
            self._pool.resend_turn(done.token)
        else:
            self._pool.take_turn(done.token)
            self._close_turn(task, done, copy)

    def _close_turn(self, task: TurnTask, done: pb.TurnDone, copy: Copy | None) -> None:
        actions = self._actions(done.actions[:])
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
                patches=tuple(done.patches[:]),
                version_name=done.version_name if done.HasField("version_name") else None,
                dialect="native",
            ),
        )

    def _activity_done(self, done: pb.ActivityDone) -> None:
        task = self._pool.peek_activity(done.token)
        if task is None or task.worker is not self:
            return
        if done.abandoned:
            self._pool.give_back_activity(done.token)
        else:
            self._pool.take_activity(done.token)
            task.on_done(task, encode_event(self._event(task, done)), no_reply)

    def _fused(self, step: pb.FusedStep) -> None:
        """Only a step that could be true is offered as one; of any other the results count alone."""
        results = step.results[:]  # slices: walking through a field itself ends in an error that is dear to make
        tasks = [self._pool.peek_activity(done.token) for done in results]
        ours = [task for task in tasks if task is not None and task.worker is self]
        runs = {(task.instance_id, task.execution_id) for task in ours}
        is_whole = len(ours) == len(results) and (len(ours) == 1 or len({task.token for task in ours}) == len(ours))
        copy = self._copies.get(ours[0].instance_id) if is_whole and len(runs) == 1 else None
        if copy is None or copy.turn_token != step.turn_token or any(done.abandoned for done in results):
            self._refuse_step(step, runs)
            return
        answers = list[tuple[ActivityAnswer, Outcome]]()
        for task, done in zip(ours, results, strict=True):
            self._pool.take_activity(done.token)
            event = self._event(task, done)
            answers.append((self._host.activities.close(task, encode_event(event)), event))
        self._post_fused(step, copy, answers)

    def _refuse_step(self, step: pb.FusedStep, runs: Iterable[tuple[str, str]]) -> None:
        """Its runs went where the sidecar does not follow, so they are dropped, known here or not."""
        for instance_id, execution_id in runs:
            self._copies.pop(instance_id, None)
            self._drop(instance_id, execution_id)
        self._forget_turn(step.turn_token)
        for done in step.results:
            self._activity_done(done)

    def _forget_turn(self, token: int) -> None:
        """Also when its results came too late. Rare, so a search will do."""
        for instance_id, copy in self._copies.items():
            if copy.turn_token == token:
                self.forget(instance_id)
                return

    def _post_fused(self, step: pb.FusedStep, copy: Copy, answers: Sequence[tuple[ActivityAnswer, Outcome]]) -> None:
        actions = self._actions(step.actions[:])
        instance_id = answers[0][0].instance_id
        if step.is_cached:
            copy.count = step.based_on + 1 + len(answers) + _confirmed(actions)
        else:
            del self._copies[instance_id]
        result = TurnResult(
            actions=actions,
            custom_status=_custom_status(step),
            patches=tuple(step.patches[:]),
            version_name=step.version_name if step.HasField("version_name") else None,
            dialect="native",
        )
        self._host.post_fused(Fused(tuple(answers), step.turn_time, step.based_on, result, self))

    def _event(self, task: ActivityTask, done: pb.ActivityDone) -> Outcome:
        return outcome_of(
            task.event,
            result=done.result if done.HasField("result") else None,
            failure=failure_of(done.failure) if done.HasField("failure") else None,
            now=self._host.clock.now_ns(),
            limits=self._host.limits,
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
