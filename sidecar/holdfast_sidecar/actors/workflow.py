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
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from holdfast_kit.clock import Handle
from holdfast_proto.codec import Unreadable
from holdfast_sidecar.actors.incoming import Fused, Incoming, Waiting, tell_all, told
from holdfast_sidecar.actors.ports import Reply, no_reply
from holdfast_sidecar.actors.sending import Sending, era_of
from holdfast_sidecar.actors.turning import Turning
from holdfast_sidecar.core import keys, upkeep
from holdfast_sidecar.core.children import refused_start
from holdfast_sidecar.core.decision import (
    RESEND_AFTER,
    Decision,
    Order,
    Send,
    StopActivity,
    absorb,
    voided_activities,
)
from holdfast_sidecar.core.errors import HoldfastError, NotOwner, Unavailable
from holdfast_sidecar.core.instance import Instance, revive
from holdfast_sidecar.core.messages import Message, Purge, Start, StartChild
from holdfast_sidecar.core.receive import Decided, Deleted, Done, Place, Received, Refused, Taken, fire_timer, receive
from holdfast_sidecar.core.repair import recover
from holdfast_sidecar.core.state import Commit, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull

if TYPE_CHECKING:
    from holdfast_sidecar.actors.host import Host

_log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_CAP = 0.05, 5.0  # waits after the store failed
FAILURES_MAX = 8  # store failures in a row until the waiting senders are told; the work itself goes on being tried


class WorkflowActor:
    __slots__ = (
        "_committing",
        "_doubts",
        "_failures",
        "_host",
        "_instance",
        "_is_abandoned",
        "_is_known",
        "_loading",
        "_queue",
        "_recovers",
        "_retry",
        "_save_timer",
        "_sending",
        "_turning",
        "_waiting",
        "id",
        "place",
    )

    def __init__(self, host: Host, instance_id: str, place: Place) -> None:
        self.id = instance_id
        self.place = place
        self._host = host
        self._instance: Instance | None = None
        self._is_known = False  # whether _instance says what the store holds (None: there is none)
        self._is_abandoned = False
        self._queue: deque[tuple[Incoming, Reply]] = deque()
        self._waiting: list[Waiting] = []  # taken but not durable yet
        self._committing = self._loading = False
        self._recovers = False
        self._doubts = False  # a commit of ours may have been applied, or may still be
        self._failures = 0
        self._retry: Handle | None = None
        self._save_timer: Handle | None = None
        self._sending = Sending(host.clock)
        self._turning = Turning(host, instance_id)

    # -- what others call ------------------------------------------------------------------------------------------

    def post(self, message: Incoming, reply: Reply = no_reply) -> None:
        self._queue.append((message, reply))
        self.nudge()

    def recover(self) -> None:
        """Something may have been in flight when the last owner died: load, and send it again."""
        self._recovers = True
        self.nudge()

    def nudge(self) -> None:
        """Something that held turns back may be gone."""
        if not self._is_busy and not self._is_abandoned:
            self._advance()

    def abandon(self, error: HoldfastError) -> None:
        """The partition is lost or the host stops: forget everything, tell whoever waits."""
        self._is_abandoned = True
        self._cancel_timers()
        self._turning.drop()
        self._turning.forget_at_worker()  # it may know a turn that will never have been
        self._sending.forget()
        waiting = [*self._waiting, *self._queue]
        self._waiting, self._queue = [], deque()
        self._is_known, self._instance = False, None
        for _, reply in waiting:
            reply(error)

    @property
    def is_idle(self) -> bool:
        return not (
            self._is_busy or self._queue or self._turning.turn or self._waiting or self._sending or self._save_timer
        )

    @property
    def is_turning(self) -> bool:
        """A worker thinks about it, or what came of that, or anything else that it has taken, is being written."""
        return self._committing or bool(self._waiting) or self._turning.is_at_worker

    @property
    def instance(self) -> Instance | None:
        """For those who only look: what the store is known to hold."""
        instance = self._instance
        return instance if self._is_known and instance is not None and instance.is_stored else None

    @property
    def waits_for_answers(self) -> bool:
        instance = self._instance
        return instance is not None and bool(instance.open.activities)

    # -- the pump --------------------------------------------------------------------------------------------------

    @property
    def _is_busy(self) -> bool:
        return self._committing or self._loading or self._retry is not None

    def _advance(self) -> None:
        if not self._is_known and (self._loading or not self._may_guess_absence()):
            if not self._loading:  # the later one of two would bring back what was before the first one's commits
                self._load()
            return
        if self._turning.result is not None:
            self._close_turn()
        while self._queue and not self._is_busy:
            if self._instance is not None and not self._instance.is_stored:
                self._save()  # nobody may learn of it before the store does
                return
            self._handle(*self._queue.popleft())
        if self._is_busy:
            return
        if self._instance is not None:
            self._consider(self._instance)
        if not self._is_abandoned and self.is_idle:
            self._host.settled(self)

    def _may_guess_absence(self) -> bool:
        """A start is nearly always of an instance that does not exist, and its commit is refused if one does: then it
        is loaded. Not after a commit of unknown fate, which only a look can tell."""
        if self._recovers or self._failures or self._doubts or not self._queue:
            return False
        self._is_known = isinstance(self._queue[0][0], Start | StartChild)
        return self._is_known

    def _handle(self, message: Incoming, reply: Reply) -> None:
        now = self._host.clock.now_ns()
        if isinstance(message, Fused):
            self._take_fused(message, reply, now)
        elif isinstance(message, Reminder):
            self._take_reminder(message, reply, now)
        else:
            self._apply(self._receive(message, now), message, reply)

    def _receive(self, message: Message, now: int) -> Received:
        return receive(self._instance, message, place=self.place, now=now, limits=self._host.limits)

    def _apply(self, received: Received, message: Incoming, reply: Reply) -> None:
        match received:
            case Done():
                # What is known already may not be durable yet: then this one is answered no sooner than the first.
                if self._instance is not None and self._instance.needs_save:
                    self._waiting.append((message, reply))
                else:
                    self._answer_unwritten(None, message, reply)
            case Refused(error=error):
                self._answer_unwritten(error, message, reply)
            case Taken(instance=instance):
                if instance is not None:
                    self._instance = instance
                self._waiting.append((message, reply))
            case Decided(decision=decision, instance=instance):
                before = self._instance
                if instance is not None:
                    self._turning.drop()
                    self._instance = instance
                self._commit(decision, message, reply, before=before)
            case Deleted(commit=commit):
                self._delete(commit, message, reply)
            case _:
                assert_never(received)

    def _answer_unwritten(self, answer: HoldfastError | None, message: Incoming, reply: Reply) -> None:
        """No commit will show whether this is still the owner. One that lost its partition and does not know it would
        answer from a memory that has grown old; so the store is asked whether anything was written since."""
        if reply is no_reply or isinstance(message, Reminder | Fused):
            reply(answer)
            return
        version = self._version

        def looked(found: View | StoreError | None) -> None:
            if isinstance(found, StoreError):
                reply(told(found, self.id))
                return
            stored = 0 if found is None else found.record.version
            if stored == version:
                reply(answer)
                return
            is_foreign = stored < version or stored > self._version  # else a commit of our own came between
            if is_foreign and self._is_known and not self._is_busy and not self._is_abandoned:
                self._forget()
            self._host.post(message, reply)

        self._host.loader.look(self.place.partition, self.id, looked)

    @property
    def _version(self) -> int:
        return 0 if self._instance is None else self._instance.record.version

    def _forget(self) -> None:
        """What is known here is worth nothing. Messages that were taken but not written are taken again."""
        self._turning.drop()
        self._turning.forget_at_worker()
        self._is_known, self._instance = False, None
        self._recovers = True
        waiting, self._waiting = self._waiting, []
        self._queue.extendleft((message, reply) for message, reply in reversed(waiting) if message is not None)

    def _consider(self, instance: Instance) -> None:
        """Nothing is left to handle: run a turn if one is due, and do not let what arrived stay unsaved for long."""
        host = self._host
        if self._recovers:
            self._recovers = False
            self._send_all(recover(instance), is_again=True)
            for name in list(instance.outbox):
                self._resend(instance, name)
        if self._doubts:
            # A commit of unknown fate may land late. Once this one has, the version guard keeps the other one out.
            self._doubts = False
            self._save()
            return
        if self._turning.turn is None and instance.is_turn_due and self._turning.may_run(instance):
            self._turning.begin(instance, self.nudge)
        if instance.needs_save and self._save_timer is None:
            self._save_timer = host.clock.call_later(self._turning.patience, self._save_due)

    # -- turns -----------------------------------------------------------------------------------------------------

    def _close_turn(self) -> None:
        instance = self._instance
        assert instance is not None
        self._commit(self._turning.close(instance), None, no_reply, before=instance)

    def _take_fused(self, fused: Fused, reply: Reply, now: int) -> None:
        """Takes results and next turn in one commit when nothing came between; else only the results count."""
        instance = self._instance
        if instance is not None and self._turning.is_next(instance, fused):
            self._commit(self._turning.close_fused(instance, fused), fused, reply, before=instance)
            return
        fused.worker.forget(self.id)
        *others, last = [answer for answer, _ in fused.answers]
        for answer in others:
            self._apply(self._receive(answer, now), answer, no_reply)
        self._apply(self._receive(last, now), last, reply)

    # -- reminders -------------------------------------------------------------------------------------------------

    def _take_reminder(self, reminder: Reminder, reply: Reply, now: int) -> None:
        name, instance = reminder.name, self._instance
        if instance is None:
            reply(None)
        elif name.startswith(keys.TIMER_PREFIX):
            seq = int(name.removeprefix(keys.TIMER_PREFIX))
            self._apply(fire_timer(instance, seq, due_at=reminder.due_at, now=now), reminder, reply)
        elif name.startswith(keys.SEND_PREFIX):
            self._resend(instance, name)
            reply(None)
        elif name == keys.WAKE or name.startswith(keys.RUN_PREFIX):
            self._recovers = True
            reply(None)
        elif name == keys.RETENTION and instance.record.status.is_terminal:
            self._retire(reminder, reply, now)
        else:  # START only has to bring us here
            reply(None)

    def _retire(self, reminder: Reminder, reply: Reply, now: int) -> None:
        purge = Purge(instance_id=self.id)
        received = self._receive(purge, now)
        if isinstance(received, Refused):  # it still owes messages to others
            self._host.reminders.put(replace(reminder, due_at=now + RESEND_AFTER))
            reply(None)
        else:
            self._apply(received, purge, reply)

    def _save_due(self) -> None:
        self._save_timer = None
        if self._instance is not None and self._instance.needs_save and not self._is_busy:
            self._save(is_urgent=True)

    def _save(self, *, is_urgent: bool = False) -> None:
        assert self._instance is not None
        decision = upkeep.save(self._instance, now=self._host.clock.now_ns())
        self._commit(decision, None, no_reply, before=None, is_urgent=is_urgent)

    # -- commits ---------------------------------------------------------------------------------------------------

    def _commit(
        self,
        decision: Decision,
        message: Incoming | None,
        reply: Reply,
        *,
        before: Instance | None,
        is_urgent: bool = False,
    ) -> None:
        instance = self._instance
        assert instance is not None
        stops = voided_activities(before, decision.commit.record)
        waiting = self._begin_commit(message, reply)

        def landed(outcome: Outcome | StoreError) -> None:
            self._committing = False
            if outcome is Outcome.APPLIED:
                self._applied(instance, decision, stops, waiting)
            else:
                self._not_applied(outcome, waiting)

        self._host.committer.submit(decision.commit, landed, is_urgent=is_urgent)

    def _delete(self, commit: Commit, message: Incoming, reply: Reply) -> None:
        stops = voided_activities(self._instance, None)
        waiting = self._begin_commit(message, reply)

        def landed(outcome: Outcome | StoreError) -> None:
            self._committing = False
            if outcome is Outcome.APPLIED:
                self._deleted(stops, waiting)
            else:
                self._not_applied(outcome, waiting)

        self._host.committer.submit(commit, landed)

    def _begin_commit(self, message: Incoming | None, reply: Reply) -> Sequence[Waiting]:
        """Whoever waits now is told when this commit has landed."""
        waiting = self._waiting
        waiting.append((message, reply))
        self._waiting = []
        self._committing = True
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None
        return waiting

    def _applied(
        self, instance: Instance, decision: Decision, stops: Sequence[StopActivity], waiting: Sequence[Waiting]
    ) -> None:
        if self._is_abandoned:  # it is durable, that is all that may be said
            tell_all(waiting, None)
            return
        self._failures = 0
        was_terminal = instance.record.status.is_terminal
        absorb(instance, decision)
        if instance.record.status.is_terminal and not was_terminal:
            self._turning.drop()
        self._host.committed(self, decision)
        if stops:
            self._send_all(stops)
        if decision.orders:
            self._send_all(decision.orders)
        tell_all(waiting, None)
        self.nudge()

    def _deleted(self, stops: Sequence[StopActivity], waiting: Sequence[Waiting]) -> None:
        if not self._is_abandoned:
            self._failures = 0
            self._turning.drop()
            self._sending.forget()
            self._instance = None
            self._host.deleted(self.id)
            self._send_all(stops)
        tell_all(waiting, None)
        self.nudge()

    def _not_applied(self, outcome: Outcome | StoreError, waiting: Sequence[Waiting]) -> None:
        """What the store holds is not known any more. Messages are taken again: one that was written is known then."""
        if outcome is Outcome.FENCED:
            self._host.lost(self)  # first: what is told, and asks again at once, must not come back to this one
            self.abandon(NotOwner(f"partition {self.place.partition} has a new owner"))
        if self._is_abandoned:
            tell_all(waiting, NotOwner(f"instance {self.id!r}: it is not on this host any more; ask its owner"))
            return
        self._forget()
        self._failures += 1
        if self._failures >= FAILURES_MAX or isinstance(outcome, StoreFull):
            tell_all(waiting, told(outcome, self.id))
        else:
            self._queue.extendleft((message, reply) for message, reply in reversed(waiting) if message is not None)
        self._doubts = self._doubts or isinstance(outcome, StoreError)
        self._retry_later(immediately=outcome is Outcome.CONFLICT)

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._loading = True
        self._host.loader.load(self.place.partition, self.id, self._loaded)

    def _loaded(self, result: Stored | StoreError | None) -> None:
        self._loading = False
        if self._is_abandoned:
            return
        if isinstance(result, StoreError):
            self._failures += 1
            if self._failures >= FAILURES_MAX or isinstance(result, StoreFull):
                self._refuse_all(told(result, self.id))
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
        if self._failures or self._doubts:
            self._catch_up(result)
        if self._instance is None or self._instance.record.stall is None:
            self._host.stalled.pop(self.id, None)  # a stall that was not written never was
        else:
            self._host.stalled.setdefault(self.id, -1)
        self._advance()

    def _catch_up(self, stored: Stored | None) -> None:
        """After a commit whose answer got lost: others may not have heard what it changed."""
        for reminder in () if stored is None else stored.reminders:
            self._host.reminders.put(reminder)
        self._host.reloaded(self)

    def _refuse_all(self, error: HoldfastError) -> None:
        queue, self._queue = self._queue, deque()
        for _, reply in queue:
            reply(error)

    def _retry_later(self, *, immediately: bool = False) -> None:
        delay = 0.0 if immediately and self._failures < 3 else min(RETRY_CAP, RETRY_FIRST * 2**self._failures)

        def again() -> None:
            self._retry = None
            self._advance()

        if self._retry is not None:
            self._retry.cancel()
        self._retry = self._host.clock.call_later(delay, again)

    def _cancel_timers(self) -> None:
        for timer in (self._retry, self._save_timer):
            if timer is not None:
                timer.cancel()
        self._retry = self._save_timer = None

    # -- orders ----------------------------------------------------------------------------------------------------

    def _send_all(self, orders: Sequence[Order], *, is_again: bool = False) -> None:
        self._sending.send_all(self._host.router, orders, self._instance, self._sent, is_again=is_again)

    def _sent(self, order: Send, era: str, error: HoldfastError | None) -> None:
        instance = self._instance
        if instance is None:
            return  # being loaded again, and then it is sent again
        if order.name:
            instance.confirm(order.name)
        elif error is None and era == era_of(instance):
            instance.started.add(order.row)
        if error is not None:
            refused = refused_start(
                order.message, kind=error.name, message_text=str(error), now=self._host.clock.now_ns()
            )
            if refused is not None:
                self._queue.append((refused, no_reply))
        self.nudge()

    def _resend(self, instance: Instance, name: str) -> None:
        self._sending.resend(self._host.router, instance, name, self._sent)
