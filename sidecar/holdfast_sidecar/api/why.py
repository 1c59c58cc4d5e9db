"""Why an instance stands where it stands, in words for a person. Pure: from what is stored and who is connected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from holdfast_proto.codec import decode_event
from holdfast_proto.history import ActivityScheduled, StallReason, TimerCreated, TimerOrigin
from holdfast_sidecar.actors.ports import Worker
from holdfast_sidecar.api.http_json import Json, rfc3339
from holdfast_sidecar.core.instance import Instance, revive
from holdfast_sidecar.core.state import NEVER_AT, Stored

_ADVICE: Final = {
    StallReason.PATCH_MISMATCH: "connect a worker whose code takes the same patches as before",
    StallReason.VERSION_NOT_AVAILABLE: "connect a worker that has this version",
    StallReason.PAYLOAD_SIZE_EXCEEDED: "make the payload smaller, or raise payload_bytes_max; then connect a worker",
    StallReason.HISTORY_LIMIT_EXCEEDED: "raise the history limit, or terminate it; use continue-as-new from now on",
    StallReason.INBOX_LIMIT_EXCEEDED: "raise inbox_events_max, or find out who sends so much",
    StallReason.CONTRADICTION: "look at the worker's code: it asked for what its history rules out",
    StallReason.NONDETERMINISM: "connect a worker whose code does what the history holds",
    StallReason.WORKER_LOST: "look at the worker's log and memory, raise its receive limit; then connect it again",
    StallReason.BROKEN: "keep its history and report this: an invariant of the sidecar does not hold",
}


def explain(stored: Stored, workers: Sequence[Worker], *, partition: int, now: int) -> Json:
    """`workers` are those of this sidecar; whether another one has more is not known here."""
    instance = revive(stored, partition=partition, epoch=0)
    waits = _waits(instance, stored, workers)
    body: Json = {
        "id": stored.record.id,
        "status": stored.record.status.name,
        "summary": _summary(instance, workers, waits, now),
        "workers": len(workers),
        "inbox_length": len(stored.inbox),
        "messages_to_send": len(instance.outbox),
        "waits_for": waits,
    }
    return body


def _summary(instance: Instance, workers: Sequence[Worker], waits: Sequence[Json], now: int) -> str:
    record = instance.record
    if record.status.is_terminal:
        return f"it has ended: {record.status.name}"
    if record.stall is not None:
        advice = _ADVICE[StallReason[record.stall.reason]]
        return f"it is stalled since {rfc3339(record.stall.at)}: {record.stall.description}; {advice}"
    if record.is_suspended:
        return "it is suspended; resume it"
    if instance.starts_at() > now:
        return f"it starts at {rfc3339(instance.starts_at())}"
    if instance.is_turn_due:
        return _turn_summary(instance, workers)
    if not waits:
        return "nothing is in flight: it waits for an event from outside; raise one, or terminate it"
    return f"it waits for {len(waits)} things: {_listed(waits)}"


def _turn_summary(instance: Instance, workers: Sequence[Worker]) -> str:
    name = instance.record.name
    if not workers:
        return "a turn is due, but no worker is connected to this sidecar; start the app"
    if not any(worker.takes_turn(name, instance.record.label) for worker in workers):
        return f"a turn is due, but no connected worker takes workflow {name!r}; register it in the app"
    return "a turn is due: it runs now, or waits for a free slot of a worker"


def _listed(waits: Sequence[Json]) -> str:
    kinds: dict[str, int] = {}
    for wait in waits:
        kinds[str(wait["kind"])] = kinds.get(str(wait["kind"]), 0) + 1
    return ", ".join(f"{count} × {kind}" for kind, count in kinds.items())


def _waits(instance: Instance, stored: Stored, workers: Sequence[Worker]) -> list[Json]:
    history = stored.history
    opened = instance.open
    activities = [_activity(row, history[row], workers) for row in opened.activities.values()]
    timers = [_timer(row, history[row]) for row in opened.timers.values()]
    children: list[Json] = [
        {"kind": "child", "row": child.row, "seq": seq, "id": child.instance_id}
        for seq, child in opened.children.items()
    ]
    return [*activities, *timers, *children]


def _activity(row: int, data: bytes, workers: Sequence[Worker]) -> Json:
    event = decode_event(data)
    assert isinstance(event, ActivityScheduled)
    is_taken = any(worker.takes_activity(event.name, event.version) for worker in workers)
    return {
        "kind": "activity",
        "row": row,
        "seq": event.seq,
        "name": event.name,
        "since": rfc3339(event.at),
        "has_worker": is_taken,
    }


def _timer(row: int, data: bytes) -> Json:
    event = decode_event(data)
    assert isinstance(event, TimerCreated)
    kind = _timer_kind(event)
    body: Json = {"kind": kind, "row": row, "seq": event.seq, "since": rfc3339(event.at)}
    if event.fire_at < NEVER_AT:
        body["fires_at"] = rfc3339(event.fire_at)
    if event.origin_name or event.name:
        body["name"] = event.origin_name or event.name
    return body


def _timer_kind(event: TimerCreated) -> str:
    match event.origin:
        case TimerOrigin.EVENT_TIMEOUT:
            return "event"
        case TimerOrigin.ACTIVITY_RETRY:
            return "retry of an activity"
        case TimerOrigin.CHILD_RETRY:
            return "retry of a child"
        case TimerOrigin.NONE | TimerOrigin.USER:
            return "timer"
        case _:
            assert_never(event.origin)
