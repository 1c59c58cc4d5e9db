"""Closing a turn: what the worker asked for becomes facts, one commit, and orders to send after it.

    inbox + actions  ->  history grows, inbox shrinks, requests and reminders  ->  orders

A turn is refused as a whole (Contradiction) when an action cannot be true beside the history; the instance then stalls
and its inbox stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET, Struct, UnsetType

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ReplaceHistory,
    ScheduleActivity,
    SendEvent,
    Stall,
    StartChild,
    StartDetached,
    TerminateInstance,
)
from holdfast_proto.codec import encode_event
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    EventSent,
    StallReason,
    Status,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.children import start_child_message
from holdfast_sidecar.core.completion import complete, continue_as_new
from holdfast_sidecar.core.decision import Decision, Draft, RunActivity, Send, StopActivity
from holdfast_sidecar.core.instance import Arrival, Instance
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.marks import TurnMarks
from holdfast_sidecar.core.messages import Deliver, Start, Terminate
from holdfast_sidecar.core.state import NEVER_AT, ActivityRow, due_time


class TurnResult(Struct, frozen=True, kw_only=True, gc=False):
    """A worker's answer to a turn. A custom status that is UNSET leaves the stored one; None clears it."""

    actions: Sequence[Action] = ()
    custom_status: str | UnsetType | None = UNSET
    patches: tuple[str, ...] = ()
    names_all_patches: bool = False  # so naming none means having none; others name what they like, or nothing
    version_name: str | None = None
    turn_trace: bytes | None = None
    dialect: str = ""


class Turn(Struct, frozen=True, gc=False):
    """What a worker was given: the first `count` messages of the inbox, at that time, on top of that history."""

    at: int
    count: int
    history_length: int


class Contradiction(Exception):
    """The turn cannot be true beside the history. Carries why the instance stalls."""

    def __init__(self, reason: StallReason, description: str) -> None:
        super().__init__(description)
        self.reason = reason
        self.description = description


def open_turn(instance: Instance, *, now: int) -> Turn:
    return Turn(now, len(instance.inbox), instance.record.history_length)


def close_turn(instance: Instance, turn: Turn, result: TurnResult, *, limits: Limits, now: int) -> Decision:
    return _Closing(instance, turn, result, limits, now).close()


class _Closing:
    __slots__ = (
        "answered_activities",
        "answered_children",
        "answered_timers",
        "cancelled_rows",
        "draft",
        "instance",
        "limits",
        "now",
        "opened_activities",
        "opened_children",
        "opened_timers",
        "result",
        "turn",
    )

    def __init__(self, instance: Instance, turn: Turn, result: TurnResult, limits: Limits, now: int) -> None:
        self.instance = instance
        self.turn = turn
        self.result = result
        self.limits = limits
        self.draft = Draft(instance, now=now)
        self.now = now
        self.opened_activities: dict[int, int] = {}
        self.opened_timers: dict[int, int] = {}
        self.opened_children: set[int] = set()
        self.answered_activities: set[int] = set()
        self.answered_timers: set[int] = set()
        self.answered_children: set[int] = set()
        self.cancelled_rows: set[int] = set()  # of timers whose firing may wait in the inbox already

    def close(self) -> Decision:
        self._check_patches()
        if len(self.result.actions) > self.limits.actions_max:
            raise Contradiction(
                StallReason.PAYLOAD_SIZE_EXCEEDED,
                f"one turn asked for {len(self.result.actions)} actions, at most {self.limits.actions_max} are allowed",
            )
        taken = self.instance.inbox[: self.turn.count]
        self._take(taken)
        status = self.result.custom_status
        self._check_payload("custom status", status if isinstance(status, str) else None)
        completion: CompleteWorkflow | None = None
        for action in self.result.actions:
            if isinstance(action, CompleteWorkflow):
                completion = action
            else:
                self._act(action)
        if completion is None or completion.status is not Status.CONTINUED_AS_NEW:  # which is the way out of a limit
            self._check_limits()
        if completion is None:
            return self._go_on(len(taken))
        return self._end(completion, len(taken))

    def _end(self, completion: CompleteWorkflow, consumed: int) -> Decision:
        self._check_payload("result", completion.result)
        if completion.status is Status.CONTINUED_AS_NEW:
            return continue_as_new(self.draft, completion, consumed=consumed, turn=self._marks(), limits=self.limits)
        if not completion.status.is_terminal:
            raise self._contradiction(f"completed the instance with status {completion.status.name}")
        return complete(self.draft, completion, turn=self._marks(), limits=self.limits)

    def _take(self, taken: Sequence[Arrival]) -> None:
        """The inbox becomes history; what it answers is open no more."""
        draft, generation = self.draft, self.instance.record.generation
        if not self.turn.history_length:
            draft.reminders_delete.append(keys.START)
        draft.append(TurnStarted(at=self.turn.at, patches=self.result.patches, version_name=self.result.version_name))
        for arrival in taken:
            draft.append(arrival.event, arrival.data)
            match arrival.event:
                case ActivityCompleted(seq=seq) | ActivityFailed(seq=seq):
                    self.answered_activities.add(seq)
                    draft.activities_delete.append((seq, generation))
                case TimerFired(seq=seq):
                    self.answered_timers.add(seq)
                    draft.reminders_delete.append(keys.timer_name(seq))
                case ChildCompleted(seq=seq) | ChildFailed(seq=seq):
                    self.answered_children.add(seq)
                case _:
                    pass

    def _act(self, action: Action) -> None:
        match action:
            case ScheduleActivity():
                self._schedule(action)
            case CreateTimer():
                self._create_timer(action)
            case CancelActivity():
                self._cancel_activity(action)
            case CancelTimer():
                self._cancel_timer(action)
            case StartChild():
                self._start_child(action)
            case StartDetached():
                self._start_detached(action)
            case SendEvent():
                self._send_event(action)
            case TerminateInstance(instance_id=victim, reason=reason, recurse=recurse):
                self.draft.send(Terminate(instance_id=victim, output=reason, recurse=recurse, is_required=False))
            case Stall(reason=reason, description=description):
                raise Contradiction(reason, description or reason.name.lower().replace("_", " "))
            case ReplaceHistory():
                raise Contradiction(
                    StallReason.CONTRADICTION, "the worker replaced a history that nobody asked to rewind"
                )
            case CompleteWorkflow():
                raise AssertionError("handled by close")
            case _:
                assert_never(action)

    def _schedule(self, action: ScheduleActivity) -> None:
        seq, record = action.seq, self.instance.record
        is_open = seq in self.instance.open.activities and seq not in self.answered_activities
        if is_open or seq in self.opened_activities:
            raise self._contradiction(
                f"scheduled activity {action.name!r} as {seq}, but activity {seq} is still unanswered"
            )
        self._check_payload(f"input of activity {action.name!r}", action.input)
        event = ActivityScheduled(
            at=self.now,
            seq=seq,
            name=action.name,
            version=action.version,
            input=action.input,
            trace=action.trace,
            tags=action.tags,
            task_execution_id=action.task_execution_id,
            options=action.options,
        )
        data = encode_event(event)
        row = self.draft.append(event, data)
        self.opened_activities[seq] = row
        self.draft.activities_put.append(ActivityRow(seq, record.generation, data))
        self.draft.orders.append(RunActivity(record.id, record.execution_id, row, event, data))

    def _create_timer(self, action: CreateTimer) -> None:
        seq = action.seq
        is_open = seq in self.instance.open.timers and seq not in self.answered_timers
        if is_open or seq in self.opened_timers:
            raise self._contradiction(f"created timer {seq}, but timer {seq} has not fired yet")
        row = self.draft.append(
            TimerCreated(
                at=self.now,
                seq=seq,
                fire_at=action.fire_at,
                name=action.name,
                origin=action.origin,
                origin_name=action.origin_name,
            )
        )
        self.opened_timers[seq] = row
        if action.fire_at < NEVER_AT:
            self.draft.remind(keys.timer_name(seq), due_time(action.fire_at))

    def _cancel_activity(self, action: CancelActivity) -> None:
        seq, record = action.seq, self.instance.record
        row = self.opened_activities.get(seq, self.instance.open.activities.get(seq))
        self.draft.append(ActivityCancelRequested(at=self.now, seq=seq))
        if row is not None and seq not in self.answered_activities:
            self.draft.orders.append(StopActivity(record.id, record.execution_id, seq, row))

    def _cancel_timer(self, action: CancelTimer) -> None:
        self.draft.append(TimerCanceled(at=self.now, seq=action.seq))
        self.answered_timers.add(action.seq)
        self.opened_timers.pop(action.seq, None)
        name = keys.timer_name(action.seq)
        self.draft.reminders_put = [reminder for reminder in self.draft.reminders_put if reminder.name != name]
        row = self.instance.open.timers.get(action.seq)
        if row is not None:
            self.draft.reminders_delete.append(name)
            self.cancelled_rows.add(row)

    def _start_child(self, action: StartChild) -> None:
        seq, record = action.seq, self.instance.record
        is_open = seq in self.instance.open.children and seq not in self.answered_children
        if is_open or seq in self.opened_children:
            raise self._contradiction(f"started child {action.name!r} as {seq}, but child {seq} is still unanswered")
        self._check_payload(f"input of child {action.name!r}", action.input)
        child = action.instance_id or keys.child_id(record.id, seq, record.generation)
        scheduled = ChildScheduled(
            at=self.now,
            seq=seq,
            instance_id=child,
            name=action.name,
            version=action.version,
            input=action.input,
            trace=action.trace,
            tags=action.tags,
            retry_of=action.retry_of,
        )
        row = self.draft.append(scheduled)
        self.opened_children.add(seq)
        message = start_child_message(record, scheduled, row)
        self.draft.orders.append(Send("", message, seq, row))

    def _start_detached(self, action: StartDetached) -> None:
        self._check_payload(f"input of workflow {action.name!r}", action.input)
        target = action.instance_id or self._derived_id("detached", self.draft.next_row)
        row = self.draft.append(DetachedStarted(at=self.now, seq=action.seq, instance_id=target))
        started = WorkflowStarted(
            at=self.now,
            name=action.name,
            instance_id=target,
            execution_id=action.execution_id or self._derived_id("run", row),
            version=action.version,
            input=action.input,
            scheduled_at=action.scheduled_at,
            trace=action.trace,
            tags=action.tags,
        )
        self.draft.send(Start(instance_id=target, event=encode_event(started), may_wait=True))

    def _derived_id(self, what: str, row: int) -> str:
        """A rewind gives a row again to another fact, and the generation grows with it."""
        record = self.instance.record
        return keys.derived_id(record.execution_id, record.generation, what, row)

    def _send_event(self, action: SendEvent) -> None:
        self._check_payload(f"event {action.name!r}", action.input)
        row = self.draft.append(
            EventSent(at=self.now, seq=action.seq, instance_id=action.instance_id, name=action.name, input=action.input)
        )
        event = EventReceived(at=self.now, name=action.name, input=action.input, source=self._derived_id("event", row))
        self.draft.send(Deliver(instance_id=action.instance_id, event=encode_event(event), is_required=False))

    def _go_on(self, consumed: int) -> Decision:
        marks = self._marks()
        open_ = self.instance.open
        record = self.instance.record
        left = self.instance.inbox[consumed:]
        kept = [arrival for arrival in left if arrival.row not in self.cancelled_rows] if self.cancelled_rows else left
        is_awake = (
            bool(kept or self.opened_activities or self.opened_children)
            or len(open_.activities) > len(self.answered_activities & open_.activities.keys())
            or len(open_.children) > len(self.answered_children & open_.children.keys())
        )
        sets, status = marks.custom_status(self.instance)
        return self.draft.finish(
            record,
            consumed=consumed if len(kept) == len(left) else len(self.instance.inbox),
            front=None if len(kept) == len(left) else kept,
            is_awake=is_awake,
            sets_custom_status=sets,
            custom_status=status,
            status=Status.SUSPENDED if record.is_suspended else Status.RUNNING,
            started_at=self.turn.at if record.started_at is None else record.started_at,
            stall=None,
            attempts=0,
            owes_turn=False,
            turn_trace=record.turn_trace if marks.turn_trace is None else marks.turn_trace,
            dialect=marks.dialect,
        )

    def _marks(self) -> TurnMarks:
        result = self.result
        return TurnMarks(self.turn.at, result.custom_status, result.turn_trace, result.dialect)

    def _check_patches(self) -> None:
        """What was once taken as patched stays so: a worker without the patch must not go on with this instance."""
        result = self.result
        if not self.instance.open.patches:
            return
        missing = sorted(set(self.instance.open.patches) - set(result.patches))
        if missing and (result.patches or result.names_all_patches):
            raise Contradiction(
                StallReason.PATCH_MISMATCH,
                f"the history was made with patches {missing} that this worker does not have",
            )

    def _check_payload(self, what: str, payload: str | None) -> None:
        bound = self.limits.payload_bytes_max
        if payload is not None and len(payload) > bound // 4 and len(payload.encode("utf-8", "surrogatepass")) > bound:
            raise Contradiction(
                StallReason.PAYLOAD_SIZE_EXCEEDED,
                f"{what}: expected at most {bound} bytes, found {len(payload.encode('utf-8', 'surrogatepass'))}; "
                "send a reference instead, or raise payload_bytes_max",
            )

    def _check_limits(self) -> None:
        events, limits = self.draft.next_row, self.limits
        if events > limits.history_events_max:
            raise Contradiction(
                StallReason.HISTORY_LIMIT_EXCEEDED,
                f"the history would have {events} events, at most {limits.history_events_max} are allowed; "
                "continue as new before, or raise history_events_max",
            )
        size = self.instance.record.history_bytes + self.draft.bytes_added
        if size > limits.history_bytes_max:
            raise Contradiction(
                StallReason.HISTORY_LIMIT_EXCEEDED,
                f"the history would have {size} bytes, at most {limits.history_bytes_max} are allowed; "
                "continue as new before, or raise history_bytes_max",
            )

    def _contradiction(self, what: str) -> Contradiction:
        return Contradiction(StallReason.CONTRADICTION, f"the worker {what}; its code does not fit this history")
