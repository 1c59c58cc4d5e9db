"""The mailbox of one instance: takes messages in order, asks the core, commits, and only then sends.

    absent --load--> ready --message--> (turn at a worker) --actions--> committing --applied--> ready
                       ^                                                    |
                       +---- reload after a doubtful commit ---- conflict or store error

It is driven by callbacks in one thread. `_is_busy` (loading or committing) holds everything back, so between reading
the instance and handing in a commit nothing else happens.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from holdfast_kit.clock import Handle
from holdfast_proto.codec import Unreadable, encode_event
from holdfast_proto.history import ChildFailed, Failure, HistoryEvent, StallReason, TurnStarted
from holdfast_sidecar.actors.ports import Reply, TurnTask, Worker, no_reply
from holdfast_sidecar.core import keys, upkeep
from holdfast_sidecar.core.decision import Decision, RunActivity, Send, StopActivity, absorb
from holdfast_sidecar.core.errors import HoldfastError, Kind, NotOwner, StorageFull, Unavailable
from holdfast_sidecar.core.instance import Arrival, Instance, revive, take
from holdfast_sidecar.core.messages import ActivityAnswer, ChildAnswer, Message, Purge, decode_message
from holdfast_sidecar.core.receive import Decided, Deleted, Done, Place, Received, Refused, Taken, fire_timer, receive
from holdfast_sidecar.core.repair import recover
from holdfast_sidecar.core.state import Commit, Reminder, Stored
from holdfast_sidecar.core.turn import Contradiction, Turn, TurnResult, close_turn, open_turn
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull

if TYPE_CHECKING:
    from holdfast_sidecar.actors.host import Host

_log = logging.getLogger(__name__)

SAVE_AFTER = 0.02  # seconds that a message may wait to be folded into a turn's commit before it gets one of its own
RETRY_FIRST, RETRY_CAP = 0.05, 5.0  # waits after the store failed
FAILURES_MAX = 8  # store failures in a row until the waiting senders are told; the work itself goes on being tried


class Fused(Struct, frozen=True):
    """A worker's results of activities together with the turn that they led to. All of one instance."""

    answers: tuple[tuple[ActivityAnswer, HistoryEvent], ...]
    turn_at: int
    based_on: int
    result: TurnResult
    worker: Worker


class WorkflowActor:
    __slots__ = (
        "_answers",
        "_committing",
        "_failures",
        "_fused",
        "_host",
        "_instance",
        "_is_known",
        "_loading",
        "_pending_turn",
        "_queue",
        "_recovers",
        "_retry",
        "_save_timer",
        "_sending",
        "_turn",
        "_turn_task",
        "_unstall",
        "_worker",
        "id",
        "place",
    )

    def __init__(self, host: Host, instance_id: str, place: Place) -> None:
        self.id = instance_id
        self.place = place
        self._host = host
        self._instance: Instance | None = None
        self._is_known = False  # whether _instance says what the store holds (None: there is none)
        self._queue: deque[tuple[Message | Reminder | Fused, Reply]] = deque()
        self._answers: list[Reply] = []  # of messages taken but not durable yet
        self._turn: Turn | None = None
        self._turn_task: TurnTask | None = None
        self._pending_turn: TurnResult | None = None  # answered while a commit was in flight
        self._committing = self._loading = False
        self._recovers = False
        self._unstall = False
        self._failures = 0
        self._retry: Handle | None = None
        self._save_timer: Handle | None = None
        self._sending: set[str] = set()
        self._worker: Worker | None = None  # who ran the last turn, and may hold the instance

    # -- what others call ------------------------------------------------------------------------------------------

    def post(self, message: Message | Reminder | Fused, reply: Reply = no_reply) -> None:
        self._queue.append((message, reply))
        if not self._is_busy:
            self._advance()

    def recover(self) -> None:
        """Something may have been in flight when the last owner died: load, and send it again."""
        self._recovers = True
        self.nudge()

    def unstall(self) -> None:
        """The cause may be gone (a new worker): try the turn again."""
        self._unstall = True
        self.nudge()

    def nudge(self) -> None:
        """Something that held turns back is gone."""
        if not self._is_busy:
            self._advance()

    def abandon(self, error: HoldfastError) -> None:
        """The partition is lost or the host stops: forget everything, tell whoever waits."""
        self._cancel_timers()
        self._drop_turn()
        waiting = [*self._answers, *(reply for _, reply in self._queue)]
        self._answers, self._queue = [], deque()
        self._is_known, self._instance = False, None
        for reply in waiting:
            reply(error)

    @property
    def is_idle(self) -> bool:
        return not (self._is_busy or self._queue or self._turn or self._answers or self._sending or self._retry)

    @property
    def is_turning(self) -> bool:
        return self._turn is not None or self._committing

    @property
    def instance(self) -> Instance | None:
        """For those who only look: what the store is known to hold."""
        return self._instance if self._is_known else None

    @property
    def waits_for_answers(self) -> bool:
        instance = self._instance
        return instance is not None and bool(instance.open.activities)

    # -- the pump --------------------------------------------------------------------------------------------------

    @property
    def _is_busy(self) -> bool:
        return self._committing or self._loading or self._retry is not None

    def _advance(self) -> None:
        if not self._is_known:
            self._load()
            return
        if self._pending_turn is not None:
            self._close_turn(self._pending_turn)
        while self._queue and not self._is_busy:
            self._handle(*self._queue.popleft())
        if not self._is_busy and self._instance is not None:
            self._consider(self._instance)
        if self.is_idle:
            self._host.settled(self)

    def _handle(self, message: Message | Reminder | Fused, reply: Reply) -> None:
        now = self._host.clock.now_ns()
        if isinstance(message, Fused):
            self._take_fused(message, reply, now)
        elif isinstance(message, Reminder):
            self._take_reminder(message, reply, now)
        else:
            self._apply(
                receive(self._instance, message, place=self.place, now=now, limits=self._host.limits), message, reply
            )

    def _apply(self, received: Received, message: Message | None, reply: Reply) -> None:
        match received:
            case Done():
                reply(None)
            case Refused(error=error):
                reply(error)
            case Taken():
                self._answers.append(reply)
            case Decided(decision=decision, instance=instance):
                if instance is not None:
                    self._drop_turn()
                    self._instance = instance
                self._commit(decision, message, reply)
            case Deleted(commit=commit):
                self._delete(commit, message, reply)
            case _:
                assert_never(received)

    def _consider(self, instance: Instance) -> None:
        """Nothing is left to handle: run a turn if one is due, and do not let what arrived stay unsaved for long."""
        host = self._host
        if self._recovers:
            self._recovers = False
            self._send_all(recover(instance))
            self._resend_outbox(instance)
        if self._turn is None and instance.is_turn_due and self._may_run(instance):
            self._begin_turn(instance)
        if instance.needs_save and self._save_timer is None:
            delay = SAVE_AFTER if self._turn is not None else 0.0
            self._save_timer = host.clock.call_later(delay, self._save)

    def _may_run(self, instance: Instance) -> bool:
        if self._host.is_paused or (instance.record.stall is not None and not self._unstall):
            return False
        self._unstall = False
        wait_ns = instance.starts_at() - self._host.clock.now_ns()
        return wait_ns <= 0

    # -- turns -----------------------------------------------------------------------------------------------------

    def _begin_turn(self, instance: Instance) -> None:
        record = instance.record
        self._turn = turn = open_turn(instance, now=self._host.clock.now_ns())
        new = [encode_event(TurnStarted(at=turn.at))]
        new += [arrival.data for arrival in instance.inbox]
        self._turn_task = TurnTask(
            instance_id=record.id,
            execution_id=record.execution_id,
            generation=record.generation,
            name=record.name,
            label=record.label,
            history=instance.history,
            new=new,
            turn_trace=record.turn_trace,
            dialect=record.dialect,
            on_done=self._turn_done,
            worker=self._worker,
        )
        self._host.pool.offer_turn(self._turn_task)

    def _turn_done(self, task: TurnTask, result: TurnResult) -> None:
        if task is not self._turn_task:
            return
        self._worker = task.worker
        self._pending_turn = result
        if not self._is_busy:
            self._advance()

    def _close_turn(self, result: TurnResult) -> None:
        turn, instance = self._turn, self._instance
        assert turn is not None
        assert instance is not None
        self._pending_turn = self._turn = self._turn_task = None
        self._commit(self._decide(instance, turn, result), None, no_reply)

    def _decide(self, instance: Instance, turn: Turn, result: TurnResult) -> Decision:
        """The core's decision, or the stall that takes its place."""
        host = self._host
        now = host.clock.now_ns()
        try:
            decision = close_turn(instance, turn, result, limits=host.limits, now=now)
        except Contradiction as contradiction:
            return self._stalled(instance, contradiction.reason, contradiction.description, now)
        except Exception as error:  # noqa: BLE001 - a bug of ours must cost one instance its progress, not the host its mailboxes
            _log.exception("a turn could not be closed", extra={"instance_id": self.id})
            return self._stalled(instance, StallReason.BROKEN, f"{type(error).__name__}: {error}", now)
        host.counters.turns += 1
        return decision

    def _stalled(self, instance: Instance, reason: StallReason, description: str, now: int) -> Decision:
        _log.warning(
            "instance stalled", extra={"instance_id": self.id, "reason": reason.name, "description": description}
        )
        self._forget_at_worker()
        self._host.stalled.add(self.id)
        self._host.counters.stalls += 1
        return upkeep.stall(instance, reason, description, now=now)

    def _take_fused(self, fused: Fused, reply: Reply, now: int) -> None:
        """Takes result and next turn in one commit when nothing came between; else only the result counts."""
        instance = self._instance
        if instance is None or not self._is_next(instance, fused):
            fused.worker.forget(self.id)
            for answer, _ in fused.answers:
                received = receive(instance, answer, place=self.place, now=now, limits=self._host.limits)
                self._apply(received, None, no_reply)
            reply(None)
            return
        for answer, event in fused.answers:
            take(instance, Arrival(event, answer.event, answer.row))
        self._worker = fused.worker
        turn = Turn(fused.turn_at, len(fused.answers), fused.based_on)
        self._commit(self._decide(instance, turn, fused.result), None, reply)

    def _is_next(self, instance: Instance, fused: Fused) -> bool:
        record = instance.record
        return (
            self._turn is None
            and not instance.inbox
            and record.stall is None
            and not record.is_suspended
            and not self._host.is_paused
            and record.history_length == fused.based_on
            and all(
                answer.execution_id == record.execution_id and instance.open.row_of(event) == answer.row
                for answer, event in fused.answers
            )
        )

    def _drop_turn(self) -> None:
        """What a worker is thinking about is void."""
        if self._turn_task is not None:
            self._host.pool.withdraw_turn(self._turn_task)
            self._forget_at_worker()
        self._turn = self._turn_task = self._pending_turn = None

    def _forget_at_worker(self) -> None:
        if self._worker is not None:
            self._worker.forget(self.id)
            self._worker = None

    # -- reminders -------------------------------------------------------------------------------------------------

    def _take_reminder(self, reminder: Reminder, reply: Reply, now: int) -> None:
        name, instance = reminder.name, self._instance
        if instance is None:
            reply(None)
        elif name.startswith(keys.TIMER_PREFIX):
            seq = int(name.removeprefix(keys.TIMER_PREFIX))
            self._apply(fire_timer(instance, seq, due_at=reminder.due_at, now=now), None, reply)
        elif name.startswith(keys.SEND_PREFIX):
            self._resend(instance, name)
            reply(None)
        elif name == keys.WAKE:
            self._recovers = True
            reply(None)
        elif name == keys.RETENTION and instance.record.status.is_terminal:
            purge = Purge(instance_id=self.id)
            self._apply(receive(instance, purge, place=self.place, now=now, limits=self._host.limits), purge, reply)
        else:  # START only has to bring us here
            reply(None)

    def _save(self) -> None:
        self._save_timer = None
        if self._is_busy or self._instance is None or not self._instance.needs_save:
            return
        self._commit(upkeep.save(self._instance, now=self._host.clock.now_ns()), None, no_reply)

    # -- commits ---------------------------------------------------------------------------------------------------

    def _commit(self, decision: Decision, message: Message | None, reply: Reply) -> None:
        instance = self._instance
        assert instance is not None
        answers, self._answers = [*self._answers, reply], []
        self._committing = True
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None

        def landed(outcome: Outcome | StoreError) -> None:
            self._committing = False
            if outcome is Outcome.APPLIED:
                self._failures = 0
                self._applied(instance, decision, answers)
            else:
                self._not_applied(outcome, message, reply, answers)

        self._host.committer.submit(decision.commit, landed)

    def _applied(self, instance: Instance, decision: Decision, answers: Sequence[Reply]) -> None:
        if self._instance is not instance:  # abandoned meanwhile: it is durable, that is all that may be said
            for reply in answers:
                reply(None)
            return
        was_terminal = instance.record.status.is_terminal
        absorb(instance, decision)
        for answer in answers:
            answer(None)
        if instance.record.status.is_terminal and not was_terminal:
            self._drop_turn()
            self._stop_activities(instance)
        self._host.committed(self, decision)
        self._send_all(decision.orders)
        self._advance()

    def _stop_activities(self, instance: Instance) -> None:
        record = instance.record
        for seq, row in instance.open.activities.items():
            self._host.router.stop_activity(StopActivity(record.id, record.execution_id, seq, row, has_ended=True))

    def _not_applied(
        self, outcome: Outcome | StoreError, message: Message | None, reply: Reply, answers: list[Reply]
    ) -> None:
        """What the store holds is not known any more. A message that can be repeated is; the rest is told."""
        self._drop_turn()
        self._forget_at_worker()
        self._is_known, self._instance = False, None
        if outcome is Outcome.FENCED:
            for answer in answers:
                answer(NotOwner(f"partition {self.place.partition} has a new owner"))
            self._host.lost(self.place.partition)
            return
        self._failures += 1
        gives_up = self._failures >= FAILURES_MAX or isinstance(outcome, StoreFull)
        if message is not None and not gives_up:
            self._queue.appendleft((message, reply))
            answers = [answer for answer in answers if answer is not reply]
        for answer in answers:
            answer(_told(outcome, self.id))
        self._recovers = True
        self._retry_later(immediately=outcome is Outcome.CONFLICT)

    def _delete(self, commit: Commit, message: Message | None, reply: Reply) -> None:
        self._drop_turn()
        self._committing = True

        def landed(outcome: Outcome | StoreError) -> None:
            self._committing = False
            if outcome is Outcome.APPLIED:
                self._failures = 0
                self._instance = None
                self._host.deleted(self.id)
                reply(None)
                self._advance()
            else:
                self._not_applied(outcome, message, reply, [reply])

        self._host.committer.submit(commit, landed)

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._loading = True
        self._host.loader.load(self.place.partition, self.id, self._loaded)

    def _loaded(self, result: Stored | StoreError | None) -> None:
        self._loading = False
        if isinstance(result, StoreError):
            self._failures += 1
            if self._failures >= FAILURES_MAX or isinstance(result, StoreFull):
                self._refuse_all(_told(result, self.id))
            self._retry_later()
            return
        try:
            self._instance = (
                None if result is None else revive(result, partition=self.place.partition, epoch=self.place.epoch)
            )
        except Unreadable as error:
            _log.error("an instance cannot be read", extra={"instance_id": self.id, "error": str(error)})
            self._refuse_all(Unavailable(f"instance {self.id!r}: its stored history cannot be read: {error}"))
            self._retry_later()
            return
        self._is_known = True
        if self._instance is not None and self._instance.record.stall is not None:
            self._host.stalled.add(self.id)
        self._advance()

    def _refuse_all(self, error: HoldfastError) -> None:
        queue, self._queue = self._queue, deque()
        for _, reply in queue:
            reply(error)

    def _retry_later(self, *, immediately: bool = False) -> None:
        delay = 0.0 if immediately and self._failures < 3 else min(RETRY_CAP, RETRY_FIRST * 2**self._failures)

        def again() -> None:
            self._retry = None
            self._advance()

        self._retry = self._host.clock.call_later(delay, again)

    def _cancel_timers(self) -> None:
        for timer in (self._retry, self._save_timer):
            if timer is not None:
                timer.cancel()
        self._retry = self._save_timer = None

    # -- orders ----------------------------------------------------------------------------------------------------

    def _send_all(self, orders: Sequence[RunActivity | StopActivity | Send]) -> None:
        router = self._host.router
        for order in orders:
            match order:
                case RunActivity():
                    router.run_activity(order)
                case StopActivity():
                    router.stop_activity(order)
                case Send():
                    self._send(order)
                case _:
                    assert_never(order)

    def _send(self, order: Send) -> None:
        key = order.name or f"child-{order.row}"
        if key in self._sending:
            return
        self._sending.add(key)
        self._host.router.send(order.message, self._delivered(order, key))

    def _delivered(self, order: Send, key: str) -> Callable[[HoldfastError | None], None]:
        def delivered(error: HoldfastError | None) -> None:
            self._sending.discard(key)
            instance = self._instance
            if instance is None or (error is not None and error.kind is Kind.UNAVAILABLE):
                return  # the reminder, or the next owner, sends it again
            if order.name:
                instance.confirmed.append(order.name)
            elif error is not None:
                self._child_refused(instance, order, error)
            if not self._is_busy:
                self._advance()

        return delivered

    def _child_refused(self, instance: Instance, order: Send, error: HoldfastError) -> None:
        event = ChildFailed(
            at=self._host.clock.now_ns(), seq=order.seq, failure=Failure(kind=error.name, message=str(error))
        )
        answer = ChildAnswer(
            instance_id=self.id,
            execution_id=instance.record.execution_id,
            row=order.row,
            event=encode_event(event),
        )
        self._queue.append((answer, no_reply))

    def _resend_outbox(self, instance: Instance) -> None:
        for name in list(instance.outbox):
            self._resend(instance, name)

    def _resend(self, instance: Instance, name: str) -> None:
        data = instance.outbox.get(name)
        if data is not None and name not in instance.confirmed:
            self._send(Send(name, decode_message(data)))


def _told(outcome: Outcome | StoreError, instance_id: str) -> HoldfastError:
    if isinstance(outcome, StoreFull):
        return StorageFull(f"instance {instance_id!r}: the store is full: {outcome}; make room and try again")
    return Unavailable(f"instance {instance_id!r}: the store did not confirm in time ({outcome}); try again")
