"""The turn of one instance: given to a worker, filled when that takes it, answered, and closed into a decision.

    none --begin--> waiting for a worker --fill--> at a worker --done--> answered --close--> none
                              |                        |                    |
                              +------------------------+--------drop--------+

Whoever ran the last turn may hold the instance, and is told when that moves on without him.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast_kit.clock import NANOS
from holdfast_proto.codec import encode_event
from holdfast_proto.history import StallReason, TurnStarted
from holdfast_sidecar.actors.incoming import Fused
from holdfast_sidecar.actors.pool import LOST_MAX
from holdfast_sidecar.actors.ports import SAVE_AFTER, TurnTask, Worker
from holdfast_sidecar.core import upkeep
from holdfast_sidecar.core.decision import Decision
from holdfast_sidecar.core.instance import Arrival, Instance, take
from holdfast_sidecar.core.state import Stall
from holdfast_sidecar.core.turn import Contradiction, Turn, TurnResult, close_turn, open_turn

if TYPE_CHECKING:
    from holdfast_sidecar.actors.host import Host

_log = logging.getLogger(__name__)

STALLS_FREE = 3  # in a row, without a pause between: the next worker may be the one with the mended code
STALL_CAP = 60.0  # seconds of the longest pause


class Turning:
    __slots__ = ("_connects", "_host", "_id", "_instance", "_task", "_worker", "result", "turn")

    def __init__(self, host: Host, instance_id: str) -> None:
        self._host = host
        self._id = instance_id
        self._instance: Instance | None = None  # while a turn is on
        self._task: TurnTask | None = None
        self._worker: Worker | None = None  # who ran the last turn, and may hold the instance
        self._connects = 0  # workers that had come when the turn began
        self.turn: Turn | None = None
        self.result: TurnResult | None = None  # answered, and not closed yet

    @property
    def is_at_worker(self) -> bool:
        return self._task is not None and self._task.token != 0

    @property
    def patience(self) -> float:
        """Seconds that a message may wait for the turn that is on, if one is."""
        if self._task is None:
            return 0.0
        return SAVE_AFTER if self._task.worker is None else self._task.worker.patience

    # -- whether -----------------------------------------------------------------------------------------------------

    def may_run(self, instance: Instance) -> bool:
        if self._host.is_paused:
            self._host.hold_back(self._id)
            return False
        if instance.starts_at() > self._host.clock.now_ns():
            return False
        stall = instance.record.stall
        return stall is None or self._may_retry(stall, instance.record.attempts)

    def _may_retry(self, stall: Stall, attempts: int) -> bool:
        """It is tried again when a worker comes; after the first few times not for every one at once."""
        host = self._host
        if not host.may_unstall(self._id):
            return False
        pause = min(STALL_CAP, 2.0 ** (attempts - STALLS_FREE)) if attempts > STALLS_FREE else 0.0
        wait = pause - (host.clock.now_ns() - stall.at) / NANOS
        if wait <= 0:
            return True
        host.unstall_later(self._id, wait)
        return False

    def is_next(self, instance: Instance, fused: Fused) -> bool:
        """Nothing came between the last turn and the one that a worker has run ahead."""
        record = instance.record
        return (
            self.turn is None
            and not instance.inbox
            and record.stall is None
            and not record.is_suspended
            and not record.status.is_terminal
            and not self._host.is_paused
            and record.history_length == fused.based_on
            and len({answer.row for answer, _ in fused.answers}) == len(fused.answers)
            and all(
                answer.execution_id == record.execution_id and 0 <= instance.open.row_of(event) == answer.row
                for answer, event in fused.answers
            )
        )

    # -- one turn ----------------------------------------------------------------------------------------------------

    def begin(self, instance: Instance, on_answer: Callable[[], None]) -> None:
        """Offers it to the workers; `on_answer` is called when `result` is there."""

        def done(task: TurnTask, result: TurnResult) -> None:
            if task is self._task:
                self._worker = task.worker
                self.result = result
                on_answer()

        record = instance.record
        self._instance = instance
        self._connects = self._host.connects
        self.turn = open_turn(instance, now=self._host.clock.now_ns())
        self._task = TurnTask(
            instance_id=record.id,
            execution_id=record.execution_id,
            generation=record.generation,
            name=record.name,
            label=record.label,
            history=instance.history,
            new=[],
            turn_trace=record.turn_trace,
            dialect=record.dialect,
            on_done=done,
            on_push=self._fill,
            worker=self._worker,
            is_repaired=record.is_repaired,
        )
        if record.stall is not None and record.stall.reason == StallReason.WORKER_LOST.name:
            self._task.lost = LOST_MAX - 1  # on probation: one more lost worker is enough
        self._host.pool.offer_turn(self._task)

    def _fill(self, task: TurnTask) -> None:
        """The turn begins when a worker gets it: with that time, and with all that has arrived by then."""
        instance = self._instance
        if task is not self._task or instance is None:
            return
        self.turn = open_turn(instance, now=self._host.clock.now_ns())
        task.new = [encode_event(TurnStarted(at=self.turn.at)), *(arrival.data for arrival in instance.inbox)]

    def close(self, instance: Instance) -> Decision:
        """Of the turn that was answered."""
        turn, result = self.turn, self.result
        assert turn is not None
        assert result is not None
        self._over()
        return self._decide(instance, turn, result)

    def close_fused(self, instance: Instance, fused: Fused) -> Decision:
        """Of a turn that `is_next`."""
        for answer, event in fused.answers:
            take(instance, Arrival(event, answer.event, answer.row))
        self._worker = fused.worker
        self._connects = self._host.connects
        return self._decide(instance, Turn(fused.turn_at, len(fused.answers), fused.based_on), fused.result)

    def drop(self) -> None:
        """What a worker is thinking about is void."""
        if self._task is not None:
            self._host.pool.withdraw_turn(self._task)
            self.forget_at_worker()
        self._over()

    def forget_at_worker(self) -> None:
        if self._worker is not None:
            self._worker.forget(self._id)
            self._worker = None

    def _over(self) -> None:
        self.turn = self.result = self._task = self._instance = None

    # -- what comes of it --------------------------------------------------------------------------------------------

    def _decide(self, instance: Instance, turn: Turn, result: TurnResult) -> Decision:
        """The core's decision, or the stall that takes its place."""
        host = self._host
        now = host.clock.now_ns()
        try:
            decision = close_turn(instance, turn, result, limits=host.limits, now=now)
        except Contradiction as contradiction:
            return self._stalled(instance, contradiction.reason, contradiction.description, now=now, by=result)
        except Exception as error:  # noqa: BLE001 - a bug of ours must cost one instance its progress, not the host its mailboxes
            _log.exception("a turn could not be closed", extra={"instance_id": self._id})
            return self._stalled(instance, StallReason.BROKEN, f"{type(error).__name__}: {error}", now=now, by=result)
        host.counters.turns += 1
        return decision

    def _stalled(
        self, instance: Instance, reason: StallReason, description: str, *, now: int, by: TurnResult
    ) -> Decision:
        _log.warning(
            "instance stalled", extra={"instance_id": self._id, "reason": reason.name, "description": description}
        )
        self.forget_at_worker()
        self._host.counters.stalls += 1
        self._host.stalled[self._id] = self._connects  # one that came while this turn was at another may try it, too
        return upkeep.stall(instance, reason, description, now=now, dialect=by.dialect)
