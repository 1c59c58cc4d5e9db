"""Views and facts as JSON. A payload that is JSON is embedded as it is, any other appears as a string."""

from __future__ import annotations

from base64 import b64encode
from enum import Enum
from typing import Final, cast

import msgspec
from msgspec.structs import asdict

from holdfast_kit.clock import to_datetime
from holdfast_proto.codec import Unreadable, decode_event
from holdfast_proto.history import Failure, HistoryEvent, WorkflowCompleted, WorkflowStarted
from holdfast_sidecar.core.state import View

Json = dict[str, object]

_LAST: Final = "9999-12-31T23:59:59.999999Z"  # stands for every later time: a date has four digits for the year
_TIMES: Final = frozenset({"at", "fire_at", "scheduled_at"})
_PAYLOADS: Final = frozenset({"input", "result", "output"})


def rfc3339(ns: int) -> str:
    try:
        return to_datetime(ns).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return _LAST


def payload(text: str | None) -> object:
    """Embedded without being decoded, so that no digit of a number is lost."""
    if text is None:
        return None
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return text
    return msgspec.Raw(text.encode())


def instance_json(view: View) -> Json:
    """What there is to know; what an instance does not have is left out."""
    record = view.record
    body: Json = {
        "id": record.id,
        "name": record.name,
        "status": record.status.name,
        "created_at": rfc3339(record.created_at),
        "updated_at": rfc3339(record.updated_at),
        "execution_id": record.execution_id,
        "generation": record.generation,
        "history_length": record.history_length,
        "history_bytes": record.history_bytes,
        "inbox_length": record.inbox_length,
        "is_suspended": record.is_suspended,
        "version": record.label,
        "tags": record.tags or None,
        "custom_status": payload(view.custom_status),
        "parent": record.parent and {"id": record.parent.instance_id, "seq": record.parent.seq},
        "stall": record.stall
        and {
            "reason": record.stall.reason,
            "description": record.stall.description,
            "at": rfc3339(record.stall.at),
        },
    }
    for name in ("scheduled_at", "started_at", "completed_at"):
        at = cast("int | None", getattr(record, name))
        body[name] = None if at is None else rfc3339(at)
    body.update(_ends_json(view))
    return {name: value for name, value in body.items() if value is not None}


def ends_of(view: View) -> tuple[WorkflowStarted | None, WorkflowCompleted | None]:
    """The first and the last fact, where the view carries them."""
    start = None if view.start is None else decode_event(view.start)
    end = None if view.end is None else decode_event(view.end)
    return (
        start if isinstance(start, WorkflowStarted) else None,
        end if isinstance(end, WorkflowCompleted) else None,
    )


def _ends_json(view: View) -> Json:
    start, end = ends_of(view)
    return {
        "input": payload(start.input) if start else None,
        "output": payload(end.result) if end else None,
        "failure": _plain("failure", end.failure) if end else None,
    }


def event_json(row: int, event: HistoryEvent) -> Json:
    return {"row": row, "kind": type(event).__name__, **_struct(event)}


def fact_json(data: bytes) -> Json:
    """A stored fact by itself; bytes that cannot be read say so, for this is what one looks at to find out why."""
    try:
        event = decode_event(data)
    except Unreadable as error:
        return {"unreadable": str(error), "bytes": len(data)}
    return {"event": type(event).__name__, **_struct(event)}


def _struct(value: msgspec.Struct) -> Json:
    plain = {name: _plain(name, field) for name, field in asdict(value).items()}
    return {name: field for name, field in plain.items() if field not in (None, "", {}, [])}


def _plain(name: str, value: object) -> object:
    match value:
        case int() if name in _TIMES and not isinstance(value, Enum):
            return rfc3339(value)
        case str() if name in _PAYLOADS:
            return payload(value)
        case Enum():
            return value.name
        case bytes():
            return b64encode(value).decode("ascii")
        case Failure():
            return {"type": value.kind, **{k: v for k, v in _struct(value).items() if k != "kind"}}
        case msgspec.Struct():
            return _struct(value)
        case tuple():
            return [_plain(name, item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value
