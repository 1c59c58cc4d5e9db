"""What an instance makes of a message: take it, decide at once, refuse it, or know that it is done already.

message -> Done      nothing to write; the sender is answered OK
        -> Refused   nothing to write; the sender gets the error
        -> Taken     in the inbox; answered OK with the commit that makes it durable, which may be that of a turn
        -> Decided   a commit of its own, now
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ChildCompleted,
    ChildFailed,
    EventReceived,
    HistoryEvent,
    Parent,
    Resumed,
    Status,
    Suspended,
    TimerCreated,
    TimerFired,
    WorkflowStarted,
)
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.completion import answer_parent, terminate
from holdfast_sidecar.core.decision import Decision, Draft
from holdfast_sidecar.core.errors import (
    HoldfastError,
    InboxFull,
    InstanceExists,
    InstanceNotFound,
    InvalidRequest,
    Unavailable,
    WrongState,
)
from holdfast_sidecar.core.instance import Arrival, Instance, take
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import (
    ActivityAnswer,
    ChildAnswer,
    Deliver,
    Fork,
    Message,
    Purge,
    Rewind,
    Start,
    StartChild,
    Terminate,
)
from holdfast_sidecar.core.repair import fork, rebind, rewind
from holdfast_sidecar.core.state import Commit, Record, due_time


class Done(Struct, frozen=True):
    pass


class Refused(Struct, frozen=True):
    error: HoldfastError


class Taken(Struct, frozen=True, gc=False):
    """`instance` is one that exists in memory only, until the same commit; None leaves the one that is there."""

    arrival: Arrival
    instance: Instance | None = None


class Decided(Struct, frozen=True, gc=False):
    """`instance` takes the place of the one in memory (a creation); None leaves that one."""

    decision: Decision
    instance: Instance | None = None


class Deleted(Struct, frozen=True):
    commit: Commit


Received: TypeAlias = Done | Refused | Taken | Decided | Deleted

DONE = Done()


class Place(Struct, frozen=True):
    """Where an instance lies, and under which fence its host may write."""

    partition: int
    epoch: int


def receive(instance: Instance | None, message: Message, *, place: Place, now: int, limits: Limits) -> Received:
    match message:
        case Start():
            return _start(instance, message, place, now, limits)
        case StartChild():
            return _start_child(instance, message, place, now, limits)
        case Deliver():
            return _deliver(instance, message, now, limits)
        case Terminate():
            return _terminate(instance, message, place, now, limits)
        case ActivityAnswer() | ChildAnswer():
            return _answer(instance, message)
        case Rewind():
            return _rewind(instance, message, place, now)
        case Fork():
            return _fork(instance, message, place, now)
        case Purge():
            return _purge(instance, message)
        case _:
            assert_never(message)


def fire_timer(instance: Instance, seq: int, *, due_at: int, now: int) -> Received:
    """A timer's reminder is due. One that was answered, or belongs to an earlier schedule, changes nothing."""
    row = instance.open.timers.get(seq, -1)
    if row < 0 or row in instance.answered_rows or instance.record.status.is_terminal:
        return DONE
    created = decode_event(instance.history[row])
    if not isinstance(created, TimerCreated) or due_time(created.fire_at) != due_at:
        return DONE
    event = TimerFired(at=now, seq=seq, fire_at=created.fire_at)
    arrival = Arrival(event, encode_event(event), row)
    take(instance, arrival)
    return Taken(arrival)


def _start(instance: Instance | None, message: Start, place: Place, now: int, limits: Limits) -> Received:
    started = _started(message.event)
    if refused := _unfit(started, limits):
        return refused
    if instance is None:
        return _create(started, message.event, place, now, may_wait=message.may_wait)
    record = instance.record
    if started.execution_id in (record.execution_id, record.first_execution_id):
        return DONE
    if record.status in message.policy.kept:
        return DONE
    if record.status not in message.policy.replaceable:
        return Refused(_taken(record))
    return _replace(instance, started, message.event, now)


def _start_child(instance: Instance | None, message: StartChild, place: Place, now: int, limits: Limits) -> Received:
    started = _started(message.event)
    if refused := _unfit(started, limits):
        return refused
    if instance is None:
        return _create(started, message.event, place, now, may_wait=True)
    if instance.record.parent == started.parent:
        return DONE
    if not instance.record.status.is_terminal:
        return Refused(_taken(instance.record))
    return _replace(instance, started, message.event, now)


def _unfit(started: WorkflowStarted, limits: Limits) -> Refused | None:
    """Ids and names that workers make up are looked at here; those of clients have been looked at before."""
    try:
        keys.check_instance_id(started.instance_id, limits)
        keys.check_name("workflow", started.name, limits)
    except HoldfastError as error:
        return Refused(error)
    return None


def _create(started: WorkflowStarted, data: bytes, place: Place, now: int, *, may_wait: bool = False) -> Received:
    """`may_wait`: for the first turn, whose commit is the first then, too."""
    instance = Instance(_new_record(started, now), place.partition, place.epoch)
    if not may_wait or instance.record.scheduled_at is not None:
        return _begin(instance, started, data, now)
    arrival = Arrival(started, data)
    take(instance, arrival)
    return Taken(arrival, instance)


def _replace(old: Instance, started: WorkflowStarted, data: bytes, now: int) -> Received:
    """A new run under an old id. What the old one owes to others (its outbox) stays."""
    was = old.record
    record = replace(
        _new_record(started, now),
        version=was.version,
        generation=was.generation + 1,
        inbox_first=was.inbox_first,
        inbox_length=was.inbox_length,
        history_length=was.history_length,
        is_awake=was.is_awake,
        sends=was.sends,
    )
    fresh = Instance(
        record,
        old.partition,
        old.epoch,
        old.custom_status,
        inbox=list(old.inbox),
        outbox=dict(old.outbox),
        owed=dict(old.owed),
        confirmed=list(old.confirmed),
    )
    return _begin(fresh, started, data, now, replaced=old)


def _begin(
    instance: Instance, started: WorkflowStarted, data: bytes, now: int, *, replaced: Instance | None = None
) -> Received:
    draft = Draft(instance, now=now)
    if replaced is not None:
        draft.resets_history = draft.clears_activities = True
        draft.reminders_delete += [keys.RETENTION, keys.START]
        draft.reminders_delete += [keys.timer_name(seq) for seq in replaced.open.timers]
        if not replaced.record.status.is_terminal:
            answer_parent(draft, replaced.record.parent, Status.TERMINATED, None, None)
    later = instance.record.scheduled_at
    if later is not None:
        draft.reminders_delete = [name for name in draft.reminders_delete if name != keys.START]
        draft.remind(keys.START, later)
    decision = draft.finish(
        instance.record,
        consumed=len(instance.inbox),
        front=[Arrival(started, data)],
        is_awake=later is None,
        sets_custom_status=replaced is not None,
    )
    return Decided(decision, instance)


def _new_record(started: WorkflowStarted, now: int) -> Record:
    """A start that is due now is due for ever: the next owner's clock may be behind ours, and no reminder would tell
    it when the time has come."""
    is_later = started.scheduled_at is not None and started.scheduled_at > now
    return Record(
        id=started.instance_id,
        name=started.name,
        status=Status.PENDING,
        created_at=now,
        updated_at=now,
        execution_id=started.execution_id,
        label=started.version,
        parent=started.parent,
        tags=started.tags,
        scheduled_at=started.scheduled_at if is_later else None,
    )


def _terminate(instance: Instance | None, message: Terminate, place: Place, now: int, limits: Limits) -> Received:
    started = _started(message.event) if message.event else None
    unborn: Instance | None = None
    if instance is None:
        if started is None:
            return Refused(InstanceNotFound(message.instance_id)) if message.is_required else DONE
        unborn = instance = Instance(_new_record(started, now), place.partition, place.epoch)
        take(unborn, Arrival(started, message.event))
    elif instance.record.status.is_terminal or (started is not None and started.parent != instance.record.parent):
        return DONE
    decision = terminate(instance, output=message.output, recurse=message.recurse, now=now, limits=limits)
    return Decided(decision, unborn)


def _deliver(instance: Instance | None, message: Deliver, now: int, limits: Limits) -> Received:
    if instance is None:
        return Refused(InstanceNotFound(message.instance_id)) if message.is_required else DONE
    if instance.record.status.is_terminal:
        return DONE
    event = decode_event(message.event)
    match event:
        case EventReceived(source=source):
            return _take_event(instance, Arrival(event, message.event), source, limits)
        case Suspended():
            return _suspend(instance, Arrival(event, message.event), now)
        case Resumed():
            return _resume(instance, Arrival(event, message.event), now)
        case _:
            return Refused(InvalidRequest(f"instance {instance.id!r}: {type(event).__name__} is not for its inbox"))


def _take_event(instance: Instance, arrival: Arrival, source: str, limits: Limits) -> Received:
    if source and source in instance.open.sources:
        return DONE
    if len(instance.inbox) >= limits.inbox_events_max:
        return Refused(
            InboxFull(
                f"instance {instance.id!r}: its inbox holds {len(instance.inbox)} unread messages, at most "
                f"{limits.inbox_events_max} are allowed; wait until it has read some, or raise inbox_events_max"
            )
        )
    take(instance, arrival)
    return Taken(arrival)


def _suspend(instance: Instance, arrival: Arrival, now: int) -> Received:
    if instance.record.is_suspended:
        return DONE
    take(instance, arrival)
    record = replace(instance.record, is_suspended=True, status=Status.SUSPENDED)
    return Decided(Draft(instance, now=now).finish(record, is_awake=True))


def _resume(instance: Instance, arrival: Arrival, now: int) -> Received:
    record = instance.record
    if not record.is_suspended:
        return DONE
    take(instance, arrival)
    status = Status.PENDING if record.started_at is None else Status.RUNNING
    # Whoever resumes a stalled instance wants it tried again; the worker it waited for may have come meanwhile.
    resumed = replace(record, is_suspended=False, status=status, stall=None)
    return Decided(Draft(instance, now=now).finish(resumed, is_awake=True))


def _answer(instance: Instance | None, message: ActivityAnswer | ChildAnswer) -> Received:
    """An answer counts once, and only for the schedule it was made for: same execution, same row, still open."""
    if instance is None:
        return DONE
    if (owed := keys.run_name(message.execution_id, message.row)) in instance.owed:
        instance.confirm(owed)
        return DONE
    if instance.record.execution_id != message.execution_id:
        return DONE
    event = decode_event(message.event)
    if not isinstance(event, ActivityCompleted | ActivityFailed | ChildCompleted | ChildFailed):
        return Refused(InvalidRequest(f"instance {instance.id!r}: {type(event).__name__} is no answer"))
    row = instance.open.row_of(event)
    if row < 0 or row != message.row or row in instance.answered_rows or instance.record.status.is_terminal:
        return DONE
    arrival = Arrival(event, message.event, row)
    take(instance, arrival)
    return Taken(arrival)


def _rewind(instance: Instance | None, message: Rewind, place: Place, now: int) -> Received:
    if instance is None:
        if message.event:
            return _create(_started(message.event), message.event, place, now)
        return Refused(InstanceNotFound(message.instance_id))
    if message.event:
        return _rebind(instance, message, _started(message.event), now)
    if instance.record.status is not Status.FAILED:
        return Refused(
            WrongState(
                f"instance {instance.id!r}: only a failed instance can be rewound, this one is "
                f"{instance.record.status.name}"
            )
        )
    return Decided(rewind(instance, now=now))


def _rebind(instance: Instance, message: Rewind, started: WorkflowStarted, now: int) -> Received:
    """A rewound parent asks for its child again: the same rewind counts once, and a stranger does not listen."""
    record, new = instance.record, started.parent
    if started.execution_id in (record.execution_id, record.first_execution_id, record.rewound_by):
        return DONE
    old = record.parent
    is_own = old is not None and new is not None and _who(old) == _who(new)
    if is_own:
        return Decided(rebind(instance, started, now=now))
    if not record.status.is_terminal:
        return Refused(_taken(record))
    return _replace(instance, started, message.event, now)


def _who(parent: Parent) -> tuple[str, int, str | None]:
    return parent.instance_id, parent.seq, parent.execution_id


def _fork(instance: Instance | None, message: Fork, place: Place, now: int) -> Received:
    if instance is None:
        fresh, decision = fork(message, partition=place.partition, epoch=place.epoch, now=now)
        return Decided(decision, fresh)
    events = (decode_event(data) for data in message.history)
    ids = {event.execution_id for event in events if isinstance(event, WorkflowStarted)}
    record = instance.record
    return DONE if ids & {record.execution_id, record.first_execution_id} else Refused(_taken(record))


def _purge(instance: Instance | None, message: Purge) -> Received:
    if instance is None:
        return DONE
    record = instance.record
    if not (record.status.is_terminal or message.is_forced):
        return Refused(
            WrongState(
                f"instance {record.id!r}: orchestration has not yet completed, it is {record.status.name}; "
                "terminate it first, or purge with force"
            )
        )
    if instance.outbox and not message.is_forced:
        return Refused(
            Unavailable(
                f"instance {record.id!r}: {len(instance.outbox)} messages of its are still on their way; try again"
            )
        )
    return Deleted(
        Commit(
            partition=instance.partition,
            epoch=instance.epoch,
            instance_id=record.id,
            expected_version=record.version,
            record=None,
        )
    )


def _started(data: bytes) -> WorkflowStarted:
    event: HistoryEvent = decode_event(data)
    if not isinstance(event, WorkflowStarted):
        raise InvalidRequest(f"a start needs a WorkflowStarted, found {type(event).__name__}")
    return event


def _taken(record: Record) -> InstanceExists:
    return InstanceExists(
        f"an active workflow with ID '{record.id}' already exists: it is {record.status.name}; "
        "use another id, or wait for its end"
        if not record.status.is_terminal
        else f"a workflow with ID '{record.id}' already exists: it is {record.status.name} and may not be replaced; "
        "use another id, or purge it"
    )
