"""A stored row, put unchanged into a client's message, means the same to both families of clients."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message
from hypothesis import given

from holdfast_proto.codec import encode_event
from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityScheduled,
    ChildScheduled,
    DetachedStarted,
    HistoryEvent,
    Rewound,
    Stalled,
    TimerCanceled,
)
from holdfast_proto.v1 import history_pb2 as pb
from tests.support import strategies as given_a

OURS_ALONE: Final = (ActivityCancelRequested, TimerCanceled)
OF_DAPR_ALONE: Final = (Stalled, DetachedStarted)
NUMBERED_APART: Final = (ActivityScheduled, ChildScheduled)
Client = microsoft_pb2.HistoryEvent | dapr_pb2.HistoryEvent


def kind_and_body(event: Client | pb.HistoryEvent, oneof: str) -> tuple[int, Message | None]:
    name = event.WhichOneof(oneof)
    if name is None:
        return 0, None
    return event.DESCRIPTOR.fields_by_name[name].number, getattr(event, name)


@given(given_a.events)
def test_both_families_read_the_same_kind_time_and_id(event: HistoryEvent) -> None:
    row = encode_event(event)
    stored = pb.HistoryEvent.FromString(row)
    number, _ = kind_and_body(stored, "kind")
    for client, foreign in (
        (microsoft_pb2.HistoryEvent.FromString(row), (*OURS_ALONE, *OF_DAPR_ALONE)),
        (dapr_pb2.HistoryEvent.FromString(row), (*OURS_ALONE, Rewound)),
    ):
        assert (client.event_id, client.timestamp) == (stored.event_id, stored.timestamp)
        assert kind_and_body(client, "event_type")[0] == (0 if isinstance(event, foreign) else number)


@given(given_a.events.filter(lambda event: not isinstance(event, (*OURS_ALONE, *OF_DAPR_ALONE, Rewound))))
def test_both_families_read_the_same_facts(event: HistoryEvent) -> None:
    row = encode_event(event)
    _, microsoft = kind_and_body(microsoft_pb2.HistoryEvent.FromString(row), "event_type")
    _, dapr = kind_and_body(dapr_pb2.HistoryEvent.FromString(row), "event_type")
    _, stored = kind_and_body(pb.HistoryEvent.FromString(row), "kind")
    if not isinstance(event, NUMBERED_APART):
        assert microsoft == dapr == stored


@given(given_a.BY_KIND[ActivityScheduled])
def test_both_families_read_the_same_schedule_and_nothing_that_they_number_apart(event: ActivityScheduled) -> None:
    row = encode_event(event)
    microsoft = microsoft_pb2.HistoryEvent.FromString(row).task_scheduled
    dapr = dapr_pb2.HistoryEvent.FromString(row).task_scheduled
    assert (microsoft.name, microsoft.version, microsoft.input) == (dapr.name, dapr.version, dapr.input)
    assert (dapr.name, dapr.input.value) == (event.name, event.input or "")
    assert microsoft.parent_trace_context == dapr.parent_trace_context
    assert (dict(microsoft.tags), dapr.task_execution_id) == ({}, "")
    assert dapr.rerun_parent_instance_info.instance_id == event.rerun_of


@given(given_a.BY_KIND[ChildScheduled])
def test_both_families_read_the_same_child_and_nothing_that_they_number_apart(event: ChildScheduled) -> None:
    row = encode_event(event)
    microsoft = microsoft_pb2.HistoryEvent.FromString(row).sub_orchestration_instance_created
    dapr = dapr_pb2.HistoryEvent.FromString(row).sub_orchestration_instance_created
    assert (microsoft.instance_id, microsoft.name, microsoft.version) == (dapr.instance_id, dapr.name, dapr.version)
    assert (microsoft.input, microsoft.parent_trace_context) == (dapr.input, dapr.parent_trace_context)
    assert (dict(microsoft.tags), dapr.HasField("rerun_parent_instance_info")) == ({}, False)
    assert dapr.retry_parent_instance_info.instance_id == event.retry_of
