"""What kind of fact a stored row holds, found without decoding the row."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from holdfast_proto.codec.errors import Unreadable, UnreadableKind

_LENGTH_DELIMITED: Final = 2
_WIDTHS: Final = {1: 8, 5: 4}
_ID_OF_NO_ACTION: Final = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"  # event_id -1; most rows begin so


class Kind(IntEnum):
    """The kinds of facts, by their field number in HistoryEvent."""

    WORKFLOW_STARTED = 3
    WORKFLOW_COMPLETED = 4
    TERMINATE_REQUESTED = 5
    ACTIVITY_SCHEDULED = 6
    ACTIVITY_COMPLETED = 7
    ACTIVITY_FAILED = 8
    CHILD_SCHEDULED = 9
    CHILD_COMPLETED = 10
    CHILD_FAILED = 11
    TIMER_CREATED = 12
    TIMER_FIRED = 13
    TURN_STARTED = 14
    EVENT_SENT = 16
    EVENT_RECEIVED = 17
    SUSPENDED = 21
    RESUMED = 22
    REWOUND = 30
    STALLED = 31
    DETACHED_STARTED = 32
    ACTIVITY_CANCEL_REQUESTED = 2010
    TIMER_CANCELED = 2011


_KINDS: Final = {int(kind): kind for kind in Kind}


_SHORT_ID, _TIMESTAMP = 0x08, 0x12
_BY_TAG: Final = {kind << 3 | _LENGTH_DELIMITED: kind for kind in Kind if kind < 16}


def kind_of(data: bytes) -> Kind:
    """What stands behind the event id and the timestamp, where the kinds of most rows are; else a walk finds it."""
    try:
        at = len(_ID_OF_NO_ACTION) if data.startswith(_ID_OF_NO_ACTION) else 2 if data[0] == _SHORT_ID else 0
        if data[at] == _TIMESTAMP and data[at + 1] < 0x80 and (at != 2 or data[1] < 0x80):
            kind = _BY_TAG.get(data[at + 2 + data[at + 1]])
            if kind is not None:
                return kind
    except IndexError:
        pass  # the walk says where it breaks off
    return walk(data)


def walk(data: bytes) -> Kind:
    """Over the top-level fields of an encoded HistoryEvent until it meets the kind."""
    at, end = len(_ID_OF_NO_ACTION) if data.startswith(_ID_OF_NO_ACTION) else 0, len(data)
    try:
        while at < end:
            tag, at = _varint(data, at)
            if tag & 7 == _LENGTH_DELIMITED:
                kind = _KINDS.get(tag >> 3)
                if kind is not None:
                    return kind
                size, at = _varint(data, at)
                at += size
            elif tag & 7 == 0:
                _, at = _varint(data, at)
            else:
                at += _WIDTHS[tag & 7]
    except (IndexError, KeyError) as error:
        raise Unreadable("history event", found=f"{end} bytes that break off at {at}") from error
    raise UnreadableKind("history event", size=end)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    at += 1
    if value < 0x80:
        return value, at
    value &= 0x7F
    shift = 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
