"""A worker of a simulated world: takes its time, gives work back, stalls for a while, dies in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol

from holdfast_proto.actions import Action, ScheduleActivity, Stall
from holdfast_proto.codec import encode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    Failure,
    HistoryEvent,
    StallReason,
    TurnStarted,
)
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.incoming import Fused
from holdfast_sidecar.actors.ports import SAVE_AFTER, ActivityTask, CancelReason, Reply, TurnTask
from holdfast_sidecar.core.turn import TurnResult
from tests.simulation.clock import SimClock
from tests.simulation.disk import Journal, Violation, read
from tests.simulation.program import activity_result, play


class Temper(Protocol):
    """What may go wrong at a worker; each is a chance."""

    @property
    def gives_back(self) -> float: ...

    @property
    def stalls(self) -> float: ...

    @property
    def fuses(self) -> float: ...

    @property
    def seconds_max(self) -> float: ...


class SimWorker:
    def __init__(
        self, worker_id: str, *, host: Host, journal: Journal, clock: SimClock, rng: Random, temper: Temper
    ) -> None:
        self._id = worker_id
        self._host = host
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._temper = temper
        self._slots = rng.choice([1, 3, 10, 100])
        self._turns = self._activities = 0
        self._cache: dict[str, tuple[str, list[HistoryEvent]]] = {}  # what is known of instances, as an SDK caches it
        self.is_dead = False

    @property
    def id(self) -> str:
        return self._id

    @property
    def free_turns(self) -> int:
        return self._slots - self._turns

    @property
    def free_activities(self) -> int:
        return self._slots - self._activities

    @property
    def patience(self) -> float:
        return SAVE_AFTER

    def takes_turn(self, name: str, label: str | None) -> bool:
        return True

    def takes_activity(self, name: str, version: str | None) -> bool:
        return True

    def forget(self, instance_id: str) -> None:
        self._cache.pop(instance_id, None)

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None:
        """Ours do not listen: what they answer must not matter any more."""

    # -- turns -----------------------------------------------------------------------------------------------------

    def push_turn(self, task: TurnTask) -> None:
        self._turns += 1
        token = task.token
        self._clock.call_later(self._seconds(), lambda: self._run_turn(token))

    def _run_turn(self, token: int) -> None:
        self._turns -= 1
        if self.is_dead:
            return
        pool, drawn = self._host.pool, self._rng.random()
        if drawn < self._temper.gives_back:
            pool.give_back_turn(token)
        elif (task := pool.take_turn(token)) is not None:
            task.on_done(task, self._result(task, is_stalling=drawn > 1 - self._temper.stalls))
        self._host.pool.refill(self)

    def _result(self, task: TurnTask, *, is_stalling: bool) -> TurnResult:
        self.forget(task.instance_id)
        if is_stalling:
            return TurnResult(actions=[Stall(reason=StallReason.VERSION_NOT_AVAILABLE)])
        events = [read(data) for data in (*task.history[: task.past_count], *task.new)]
        result = play(events)
        self._remember(task.instance_id, task.execution_id, events, result.actions)
        return result

    def _remember(
        self, instance_id: str, execution_id: str, events: list[HistoryEvent], actions: Sequence[Action]
    ) -> None:
        """Only turns that end with nothing but schedules: for these the worker knows what the history will be."""
        facts = [
            ActivityScheduled(at=0, seq=action.seq, name=action.name, input=action.input)
            for action in actions
            if isinstance(action, ScheduleActivity)
        ]
        if len(facts) == len(actions):
            self._cache[instance_id] = (execution_id, [*events, *facts])

    # -- activities ------------------------------------------------------------------------------------------------

    def push_activity(self, task: ActivityTask) -> None:
        key = (task.instance_id, task.execution_id, task.row, task.data)
        if key not in self._journal.scheduled:
            raise Violation(f"{task.instance_id}: activity {task.event.seq} runs before its schedule is durable")
        self._journal.runs[key] += 1
        self._activities += 1
        token = task.token
        self._clock.call_later(self._seconds(), lambda: self._run_activity(token))

    def _run_activity(self, token: int) -> None:
        self._activities -= 1
        if self.is_dead:
            return
        pool = self._host.pool
        if self._rng.random() < self._temper.gives_back:
            pool.give_back_activity(token)
        elif (task := pool.take_activity(token)) is not None:
            self._answer(task)
        pool.refill(self)

    def _answer(self, task: ActivityTask) -> None:
        outcome = activity_result(task.event.name, task.event.input)
        at, seq = self._clock.now_ns(), task.event.seq
        event: HistoryEvent
        if isinstance(outcome, Failure):
            event = ActivityFailed(at=at, seq=seq, failure=outcome)
        else:
            event = ActivityCompleted(at=at, seq=seq, result=outcome)
        cached = self._cache.get(task.instance_id)
        data = encode_event(event)
        reply = self._is_durable(task, data)
        if cached is not None and cached[0] == task.execution_id and self._rng.random() < self._temper.fuses:
            self._fuse(task, event, cached[1], reply)
        else:
            task.on_done(task, data, reply)

    def _fuse(self, task: ActivityTask, event: HistoryEvent, past: list[HistoryEvent], reply: Reply) -> None:
        """The next turn at once, on what this worker believes to be the history."""
        answer = self._host.activities.close(task, encode_event(event))
        at = self._clock.now_ns()
        events = [*past, TurnStarted(at=at), event]
        self.forget(task.instance_id)
        result = play(events)
        self._remember(task.instance_id, task.execution_id, events, result.actions)
        self._host.post_fused(Fused(((answer, event),), at, len(past), result, self), reply)

    def _is_durable(self, task: ActivityTask, data: bytes) -> Reply:
        def replied(error: object) -> None:
            life = self._journal.lives.get(task.instance_id)
            if error is not None or life is None or life.is_ended or life.execution_id != task.execution_id:
                return
            if data not in life.durable and (task.execution_id, task.event.seq) not in life.answered:
                raise Violation(
                    f"{task.instance_id}: the answer of activity {task.event.seq} was taken and is not kept"
                )

        return replied

    def _seconds(self) -> float:
        longest = self._temper.seconds_max
        return self._rng.random() ** 4 * longest
