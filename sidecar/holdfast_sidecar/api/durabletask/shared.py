"""For workers whose dialect is not known: only what all agree on is said, and an answer is read by what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast_proto.codec import Kind, kind_of
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_sidecar.api.durabletask import dapr, evidence, frames, microsoft
from holdfast_sidecar.api.durabletask.frames import read_activity_answer
from holdfast_sidecar.api.durabletask.model import ActivityCall, Dialect, TurnAnswer, TurnCall

__all__ = [
    "activity_item",
    "history",
    "history_event",
    "kinds",
    "read_activity_answer",
    "read_turn_answer",
    "turn_item",
]

# An instance holds these two only when its own worker asked for them, so that worker can read them.
_IN_ITEMS: Final = frames.EVERYWHERE | {Kind.EVENT_SENT, Kind.DETACHED_STARTED}
_UNSAYABLE: Final = frozenset({Kind.REWOUND, Kind.ACTIVITY_CANCEL_REQUESTED, Kind.TIMER_CANCELED})


def kinds(new: Sequence[bytes]) -> frozenset[Kind]:
    return _IN_ITEMS


def turn_item(turn: TurnCall, token: str) -> bytes:
    return frames.turn_frame(turn, token)


def activity_item(call: ActivityCall, token: str) -> bytes:
    request = pb.ActivityRequest()
    frames.fill_activity(request, call)
    return frames.activity_frame(request, token)


def history_event(row: bytes) -> bytes | None:
    return None if kind_of(row) in _UNSAYABLE else row


def history(rows: Sequence[bytes]) -> bytes:
    return frames.history_frame(map(history_event, rows))


def read_turn_answer(data: bytes) -> TurnAnswer:
    """An answer that shows no dialect holds nothing that the dialects read differently."""
    if evidence.dialect_of(data) is Dialect.DAPR:
        return dapr.read_turn_answer(data)
    return microsoft.read_turn_answer(data)
