"""What workers are sent: a whole frame, and nothing that their dialect reads as something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_proto.codec import Kind, encode_event, kind_of
from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityScheduled,
    ChildScheduled,
    DetachedStarted,
    EventSent,
    HistoryEvent,
    Rewound,
    Stalled,
    StallReason,
    Status,
    TimerCanceled,
    Trace,
    TurnStarted,
    WorkflowCompleted,
)
from holdfast_sidecar.api.durabletask import dapr, frames, microsoft, shared
from holdfast_sidecar.api.durabletask.model import ActivityCall, TurnCall, Words
from tests.support import strategies as given_a

STARTED: Final = encode_event(TurnStarted(at=1, patches=("p",)))
SCHEDULED: Final = encode_event(ActivityScheduled(at=2, seq=0, name="pack", tags={"a": "b"}, task_execution_id="x"))
COMPLETED: Final = encode_event(WorkflowCompleted(at=3, seq=1, status=Status.FAILED))
SENT: Final = encode_event(EventSent(at=4, seq=2, instance_id="o", name="Go"))
REWOUND: Final = encode_event(Rewound(at=5, reason="again"))
STALLED: Final = encode_event(Stalled(at=6, reason=StallReason.PATCH_MISMATCH))
DETACHED: Final = encode_event(DetachedStarted(at=7, seq=3, instance_id="d"))
CANCELED: Final = encode_event(ActivityCancelRequested(at=8, seq=0))
TIMER_CANCELED: Final = encode_event(TimerCanceled(at=9, seq=0))
EVERYTHING: Final = (STARTED, SCHEDULED, COMPLETED, SENT, REWOUND, STALLED, DETACHED, CANCELED, TIMER_CANCELED)
CALL: Final = ActivityCall(
    instance_id="i",
    execution_id="e",
    seq=0,
    name="pack",
    version="2",
    input="",
    trace=Trace("p", "s", "id"),
    tags={"a": "b"},
    task_execution_id="x",
)
ALL: Final[list[Words]] = [microsoft, dapr, shared]


def item(
    words: Words,
    token: str = "t",
    *,
    past: Sequence[bytes] = (),
    new: Sequence[bytes] = (STARTED,),
    instance_id: str = "i",
    execution_id: str = "e",
    trace: bytes = b"",
    cached: int = 0,
) -> bytes:
    kinds = words.kinds(new)
    call = TurnCall(
        instance_id=instance_id,
        execution_id=execution_id,
        past=frames.past_events(frames.rows_of_kinds(past, kinds)),
        new=frames.rows_of_kinds(new, kinds),
        trace=trace,
        cached=cached,
    )
    return words.turn_item(call, token)


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (microsoft, [Kind.TURN_STARTED, Kind.ACTIVITY_SCHEDULED, Kind.EVENT_SENT, Kind.REWOUND]),
        (dapr, [Kind.TURN_STARTED, Kind.ACTIVITY_SCHEDULED, Kind.STALLED, Kind.DETACHED_STARTED]),
        (shared, [Kind.TURN_STARTED, Kind.ACTIVITY_SCHEDULED, Kind.EVENT_SENT, Kind.DETACHED_STARTED]),
    ],
)
def test_a_worker_gets_only_the_kinds_that_its_dialect_bears(words: Words, kinds: list[Kind]) -> None:
    assert [kind_of(row) for row in frames.rows_of_kinds(EVERYTHING, words.kinds(()))] == kinds


@given(st.lists(given_a.events, max_size=4), st.lists(given_a.events, max_size=4))
def test_stored_rows_are_in_the_frame_as_they_are(past: list[HistoryEvent], new: list[HistoryEvent]) -> None:
    rows, fresh = [encode_event(event) for event in past], [encode_event(event) for event in new]
    kinds = shared.kinds(fresh)
    request = microsoft_pb2.WorkItem.FromString(item(shared, past=rows, new=fresh)).orchestrator_request
    assert [event.SerializeToString() for event in request.past_events] == [
        microsoft_pb2.HistoryEvent.FromString(row).SerializeToString() for row in frames.rows_of_kinds(rows, kinds)
    ]
    assert len(request.new_events) == len(frames.rows_of_kinds(fresh, kinds))


@given(st.text(), st.text(), st.text(max_size=300))
def test_a_turn_says_whose_it_is_to_both_families(instance_id: str, execution_id: str, token: str) -> None:
    past = (SCHEDULED,) * 3
    for words in ALL:
        frame = item(words, token, past=past, instance_id=instance_id, execution_id=execution_id)
        for sent in (microsoft_pb2.WorkItem.FromString(frame), dapr_pb2.WorkItem.FromString(frame)):
            request = sent.orchestrator_request
            assert (request.instance_id, request.execution_id.value) == (instance_id, execution_id)
            assert (len(request.past_events), len(request.new_events), sent.completion_token) == (3, 1, token)


def test_microsoft_gets_back_the_trace_of_its_turns() -> None:
    context = microsoft_pb2.OrchestrationTraceContext()
    context.span_id.value = "0123456789abcdef"
    sent = microsoft_pb2.WorkItem.FromString(item(microsoft, trace=context.SerializeToString()))
    assert sent.orchestrator_request.orchestration_trace_context == context


@pytest.mark.parametrize("words", [dapr, shared])
def test_others_do_not_get_the_trace_of_a_turn(words: Words) -> None:
    assert item(words, trace=b"\x0a\x00") == item(words)


def test_a_rewinding_turn_alone_shows_the_completion_that_it_takes_back() -> None:
    past = (STARTED, COMPLETED)
    rewinding = microsoft_pb2.WorkItem.FromString(item(microsoft, past=past, new=(STARTED, REWOUND)))
    ordinary = microsoft_pb2.WorkItem.FromString(item(microsoft, past=past))
    assert [len(sent.orchestrator_request.past_events) for sent in (rewinding, ordinary)] == [2, 1]


@pytest.mark.parametrize("cached", [1, 127, 128, 300])
def test_dapr_is_told_how_much_of_the_past_it_holds(cached: int) -> None:
    frame = item(dapr, past=(STARTED, COMPLETED, SCHEDULED), cached=cached)
    request = dapr_pb2.WorkItem.FromString(frame).orchestrator_request
    assert request.cached_history.event_count == cached
    assert (len(request.past_events), len(request.new_events)) == (2, 1)


def test_dapr_may_hold_the_whole_past() -> None:
    request = dapr_pb2.WorkItem.FromString(item(dapr, cached=3)).orchestrator_request
    assert (request.cached_history.event_count, len(request.past_events)) == (3, 0)


def test_a_worker_that_holds_nothing_is_not_told_of_a_cache() -> None:
    request = dapr_pb2.WorkItem.FromString(item(dapr, past=(STARTED,))).orchestrator_request
    assert not request.HasField("cached_history")


def test_an_activity_bears_what_its_dialect_knows() -> None:
    ours = microsoft_pb2.WorkItem.FromString(microsoft.activity_item(CALL, "t")).activity_request
    theirs = dapr_pb2.WorkItem.FromString(dapr.activity_item(CALL, "t")).activity_request
    assert (dict(ours.tags), theirs.task_execution_id) == ({"a": "b"}, "x")


@pytest.mark.parametrize("words", ALL)
def test_an_activity_bears_what_all_dialects_know(words: Words) -> None:
    sent = dapr_pb2.WorkItem.FromString(words.activity_item(CALL, "token"))
    request = sent.activity_request
    assert (request.name, request.version.value, request.task_id, sent.completion_token) == ("pack", "2", 0, "token")
    assert (request.orchestration_instance.instance_id, request.orchestration_instance.execution_id.value) == ("i", "e")
    assert request.HasField("input")
    assert request.parent_trace_context.parent == "p"


def test_an_activity_for_an_unknown_client_has_nothing_that_families_number_apart() -> None:
    frame = shared.activity_item(CALL, "t")
    assert not microsoft_pb2.WorkItem.FromString(frame).activity_request.tags
    assert dapr_pb2.WorkItem.FromString(frame).activity_request.task_execution_id == ""


def test_pings_have_the_number_that_each_family_gave_them() -> None:
    assert microsoft_pb2.WorkItem.FromString(microsoft.health_ping()).WhichOneof("request") == "health_ping"
    assert dapr_pb2.WorkItem.FromString(dapr.health_ping()).WhichOneof("request") == "health_ping"


def test_history_calls_show_what_each_family_numbers_apart() -> None:
    child = encode_event(ChildScheduled(at=1, seq=1, instance_id="c", name="n", tags={"a": "b"}, rerun_of="old"))
    ours = microsoft_pb2.HistoryChunk.FromString(microsoft.history((SCHEDULED, child))).events
    theirs = dapr_pb2.GetInstanceHistoryResponse.FromString(dapr.history((SCHEDULED, child))).events
    assert dict(ours[0].task_scheduled.tags) == {"a": "b"}
    assert dict(ours[1].sub_orchestration_instance_created.tags) == {"a": "b"}
    assert theirs[0].task_scheduled.task_execution_id == "x"
    assert theirs[1].sub_orchestration_instance_created.rerun_parent_instance_info.instance_id == "old"


def test_the_history_of_an_instance_that_runs_is_what_dapr_replays() -> None:
    running = tuple(row for row in EVERYTHING if row != COMPLETED)
    shown = dapr_pb2.GetInstanceHistoryResponse.FromString(dapr.history(running)).events
    sent = dapr_pb2.WorkItem.FromString(item(dapr, past=running)).orchestrator_request.past_events
    assert [event.WhichOneof("event_type") for event in shown] == [event.WhichOneof("event_type") for event in sent]


@pytest.mark.parametrize(
    ("words", "unsayable"),
    [
        (microsoft, {STALLED, DETACHED, CANCELED, TIMER_CANCELED}),
        (dapr, {REWOUND, CANCELED, TIMER_CANCELED}),
        (shared, {REWOUND, CANCELED, TIMER_CANCELED}),
    ],
)
def test_history_calls_leave_out_what_the_dialect_has_no_word_for(words: Words, unsayable: set[bytes]) -> None:
    assert {row for row in EVERYTHING if words.history_event(row) is None} == unsayable


@pytest.mark.parametrize("words", ALL)
@given(event=given_a.events)
def test_every_event_of_a_history_call_has_a_kind_for_its_client(words: Words, event: HistoryEvent) -> None:
    schema = microsoft_pb2.HistoryEvent if words is microsoft else dapr_pb2.HistoryEvent
    told = words.history_event(encode_event(event))
    assert told is None or schema.FromString(told).WhichOneof("event_type") is not None
