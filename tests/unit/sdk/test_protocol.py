"""The native protocol: messages with stored events as bytes are the same on the wire as those that decode them."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import HistoryEvent, TurnStarted, WorkflowStarted
from holdfast_proto.v1 import client_pb2, worker_pb2

MIRRORS: list[tuple[Any, Any]] = [
    (worker_pb2.Turn, worker_pb2.RawTurn),
    (worker_pb2.Activity, worker_pb2.RawActivity),
    (worker_pb2.SidecarFrame, worker_pb2.RawSidecarFrame),
    (client_pb2.HistoryPage, client_pb2.RawHistoryPage),
]


def _fields(message: Any) -> dict[str, tuple[int, str]]:
    """Number and wire form of each field; a message and bytes have the same form."""
    return {
        field.name: (
            field.number,
            "length" if field.type in (field.TYPE_MESSAGE, field.TYPE_BYTES) else str(field.type),
        )
        for field in message.DESCRIPTOR.fields
    }


@pytest.mark.parametrize(("decoded", "raw"), MIRRORS)
def test_a_mirror_has_the_same_fields(decoded: Any, raw: Any) -> None:
    assert _fields(decoded) == _fields(raw)


def test_stored_bytes_come_out_as_events() -> None:
    facts: list[HistoryEvent] = [
        TurnStarted(at=5),
        WorkflowStarted(at=6, name="shop", instance_id="i", execution_id="e", input='"x"'),
    ]
    frame = worker_pb2.RawSidecarFrame()
    turn = frame.turns.add()
    turn.token, turn.instance_id = 7, "i"
    turn.new.extend(encode_event(fact) for fact in facts)
    read = worker_pb2.SidecarFrame.FromString(frame.SerializeToString())
    assert [decode_event(event.SerializeToString()) for event in read.turns[0].new] == facts
