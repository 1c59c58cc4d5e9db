"""Histories in files: lines of JSON, a head and one event per line, several histories one after the other.

    {"holdfast_history": 1, "instance_id": "order-7", "workflow": "checkout"}
    {"event_id": -1, "timestamp": "2030-01-01T00:00:00Z", "turn_started": {}}
    …

An event is written as protobuf's JSON form of `holdfast.v1.HistoryEvent`, whose fields are added and never change: a
file that was saved once is read for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from holdfast.errors import HoldfastError
from holdfast_proto.codec import Unreadable, encode_event, event_of
from holdfast_proto.history import HistoryEvent, WorkflowStarted
from holdfast_proto.v1 import history_pb2 as pb

_MARK: Final = "holdfast_history"
_VERSION: Final = 1


class HistoryUnreadable(HoldfastError):
    """A file does not hold what it should; the text names file and line."""


@dataclass(frozen=True)
class History:
    instance_id: str
    workflow: str
    events: Sequence[HistoryEvent]
    source: str = ""  # file and line of its head

    @classmethod
    def of(cls, events: Sequence[HistoryEvent], source: str = "") -> History:
        """Names instance and workflow as its start does."""
        for event in events:
            if isinstance(event, WorkflowStarted):
                return cls(event.instance_id, event.name, tuple(events), source)
        raise HistoryUnreadable(f"{source or 'a history'}: expected WorkflowStarted among its events, found none")


def save_history(path: str | Path, events: Sequence[HistoryEvent], *, append: bool = False) -> None:
    """Writes what `handle.history()` gives. With `append`, after what the file holds."""
    with Path(path).open("a" if append else "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines_of(History.of(events)))


def lines_of(history: History) -> Iterator[str]:
    head = {_MARK: _VERSION, "instance_id": history.instance_id, "workflow": history.workflow}
    yield json.dumps(head, ensure_ascii=False)
    for event in history.events:
        message = pb.HistoryEvent.FromString(encode_event(event))
        yield json.dumps(MessageToDict(message, preserving_proto_field_name=True), ensure_ascii=False)


def load_histories(path: str | Path) -> list[History]:
    """All histories of a file."""
    with Path(path).open(encoding="utf-8") as file:
        return list(_read(file, str(path)))


def _read(lines: Iterable[str], name: str) -> Iterator[History]:
    events: list[HistoryEvent] = []
    source = ""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        found = _parsed(line, where)
        if _MARK in found:
            if source:
                yield History.of(events, source)
            _check_version(found, where)
            events, source = [], where
        elif source:
            events.append(_event(found, where))
        else:
            raise HistoryUnreadable(f'{where}: expected a head {{"{_MARK}": {_VERSION}, …}}, found {line.strip()[:60]}')
    if not source:
        raise HistoryUnreadable(f"{name}: expected at least one history, found none")
    yield History.of(events, source)


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(line)
    except ValueError as error:
        raise HistoryUnreadable(f"{where}: expected one JSON object, found {line.strip()[:60]}: {error}") from error
    if not isinstance(found, dict):
        raise HistoryUnreadable(f"{where}: expected one JSON object, found {line.strip()[:60]}")
    return cast("dict[str, Any]", found)


def _check_version(head: dict[str, Any], where: str) -> None:
    if head[_MARK] != _VERSION:
        raise HistoryUnreadable(f"{where}: expected format {_VERSION}, found {head[_MARK]!r}; update holdfast")


def _event(found: dict[str, Any], where: str) -> HistoryEvent:
    try:
        return event_of(ParseDict(found, pb.HistoryEvent()))
    except (ParseError, Unreadable) as error:
        raise HistoryUnreadable(f"{where}: expected an event of a history: {error}") from error
