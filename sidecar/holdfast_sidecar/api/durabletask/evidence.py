"""Which dialect an answer to a turn is written in, told from fields that only one of them has or that look like one.

Looked at without a schema, as the schemas are what is in question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from holdfast_sidecar.api.durabletask.model import Dialect
from holdfast_sidecar.api.durabletask.wire import Field, Malformed, fields

_TRACE_PARENT: Final = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MEMBERS: Final = frozenset({2, 3, 4, 5, 6, 7, 8, 10, 11})  # OrchestratorAction, without the number in question
_EVENT_KINDS: Final = frozenset({*range(3, 30), 31, 32})  # HistoryEvent, likewise

_ACTIONS, _TRACE_OR_VERSION = 2, 6  # OrchestratorResponse
_REWIND_OR_ROUTER: Final = 9  # OrchestratorAction
_REWOUND_OR_ROUTER: Final = 30  # HistoryEvent


def dialect_of(response: bytes) -> Dialect:
    """UNKNOWN when the answer shows nothing, and when it is not well-formed: its reader names that fault."""
    try:
        return next(_signs(list(fields(response))), Dialect.UNKNOWN)
    except Malformed:
        return Dialect.UNKNOWN


def _signs(response: list[Field]) -> Iterator[Dialect]:
    for number, value in response:
        if number == _TRACE_OR_VERSION and isinstance(value, bytes):
            yield Dialect.MICROSOFT if _is_turn_trace(value) else Dialect.DAPR
        elif number in {7, 8, 9}:
            yield Dialect.MICROSOFT
    for number, value in response:
        if number == _ACTIONS and isinstance(value, bytes):
            yield from _action_signs(list(fields(value)))


def _action_signs(action: list[Field]) -> Iterator[Dialect]:
    numbers = {field.number for field in action}
    if _REWIND_OR_ROUTER in numbers:
        yield Dialect.DAPR if numbers & _MEMBERS else Dialect.MICROSOFT
    for number, value in action:
        match number, value:
            case 2, bytes():
                yield from _schedule_signs(fields(value))
            case 3, bytes():
                yield from _child_signs(fields(value))
            case 4, bytes() if any(field.number != 1 for field in fields(value)):
                yield Dialect.DAPR
            case 6, bytes():
                yield from _completion_signs(fields(value))
            case 8, _:
                yield Dialect.MICROSOFT
            case 10 | 11, _:
                yield Dialect.DAPR
            case _:
                pass


def _schedule_signs(body: Iterable[Field]) -> Iterator[Dialect]:
    for number, value in body:
        match number, value:
            case 5, bytes():
                yield Dialect.MICROSOFT if _is_trace(value) else Dialect.DAPR
            case 4, bytes():
                yield Dialect.MICROSOFT  # a router here comes with one on the action, which was seen before
            case 6, int():
                yield Dialect.DAPR
            case _:
                pass


def _child_signs(body: Iterable[Field]) -> Iterator[Dialect]:
    for number, value in body:
        match number, value:
            case 5, bytes() if _is_trace(value) and _TRACE_PARENT.search(value):
                yield Dialect.MICROSOFT
            case 6, bytes():
                yield Dialect.MICROSOFT
            case (6, int()) | (7, _):
                yield Dialect.DAPR
            case _:
                pass


def _completion_signs(body: Iterable[Field]) -> Iterator[Dialect]:
    for number, value in body:
        match number, value:
            case 5, bytes():
                numbers = {field.number for field in fields(value)}
                if _REWOUND_OR_ROUTER in numbers:
                    yield Dialect.DAPR if numbers & _EVENT_KINDS else Dialect.MICROSOFT
            case 7, _:
                yield Dialect.MICROSOFT
            case _:
                pass


def _is_turn_trace(data: bytes) -> bool:
    """{1: a wrapped text, 2: a timestamp}, either may lack; the other reading is {1: a patch, 2: a name}."""
    try:
        found = list(fields(data))
        return bool(found) and {field.number for field in found} <= {1, 2} and all(map(_fits_turn_trace, found))
    except Malformed:
        return False


def _fits_turn_trace(field: Field) -> bool:
    if isinstance(field.value, int):
        return False
    if field.number == 1:
        return all(inner.number == 1 and isinstance(inner.value, bytes) for inner in fields(field.value))
    return all(inner.number in {1, 2} and isinstance(inner.value, int) for inner in fields(field.value))


def _is_trace(data: bytes) -> bool:
    """A trace context begins with its first field; a task execution id, a text, does not begin with that byte."""
    try:
        return data.startswith(b"\x0a") and all(
            field.number in {1, 2, 3} and isinstance(field.value, bytes) for field in fields(data)
        )
    except Malformed:
        return False
