"""What workers answer, as their own message modules write it, comes out as the same actions from every dialect."""

from __future__ import annotations

from typing import Final

import pytest

from holdfast_proto.actions import (
    CompleteWorkflow,
    CreateTimer,
    ReplaceHistory,
    ScheduleActivity,
    SendEvent,
    Stall,
    StartChild,
    StartDetached,
    TerminateInstance,
)
from holdfast_proto.codec import decode_failure, encode_event, encode_failure
from holdfast_proto.durabletask import microsoft_pb2
from holdfast_proto.history import (
    ActivityScheduled,
    EventReceived,
    Failure,
    Rewound,
    StallReason,
    Status,
    TimerOrigin,
    Trace,
    TurnStarted,
)
from holdfast_sidecar.api.durabletask import dapr, microsoft, shared
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.model import TurnAnswer, Words
from tests.support.strategies import SENTINEL_AT
from tests.unit.proto.vectors import BY_CLIENT, scenario

SECOND_AT: Final = 1_706_933_106_000_000_000
NANO_AT: Final = 1_706_933_106_789_012_345
TRACE_PARENT: Final = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
TASK_EXECUTION_ID: Final = "5e0e0f0c-0000-4000-8000-000000000000"


def of_microsoft(name: str) -> TurnAnswer:
    return microsoft.read_turn_answer(scenario("microsoft", name))


def of_dapr(name: str, client: str = "dapr") -> TurnAnswer:
    return dapr.read_turn_answer(scenario(client, name))


def test_microsoft_schedules_with_tags_and_trace() -> None:
    answer = of_microsoft("turn that schedules")
    (action,) = answer.actions
    assert action == ScheduleActivity(
        seq=1,
        name="pack",
        version="2",
        input="1",
        tags={"a": "b"},
        trace=Trace(TRACE_PARENT, "x=y", "0123456789abcdef"),
    )
    assert (answer.instance_id, answer.token, answer.custom_status) == ("i", "t", "packing")
    context = microsoft_pb2.OrchestrationTraceContext.FromString(answer.trace)
    assert (context.span_id.value, context.span_start_time.nanos) == ("0123456789abcdef", 789_012_345)


def test_the_first_id_of_java_and_go_is_zero() -> None:
    assert of_microsoft("turn that schedules plainly").actions == (ScheduleActivity(seq=0, name="pack"),)


def test_microsoft_starts_a_child() -> None:
    (action,) = of_microsoft("turn with a child").actions
    assert action == StartChild(
        seq=2, instance_id="i:0002", name="child", version="", input="3", tags={"c": "d"}, trace=Trace(TRACE_PARENT)
    )


def test_a_timer_keeps_its_nanoseconds() -> None:
    assert of_microsoft("turn with a timer").actions == (CreateTimer(seq=3, fire_at=NANO_AT),)


def test_messages_to_other_instances() -> None:
    assert of_microsoft("turn with messages").actions == (
        SendEvent(seq=4, instance_id="other", name="Go", input="{}"),
        TerminateInstance(seq=5, instance_id="third", reason="enough", recurse=True),
    )


def test_an_empty_custom_status_is_none() -> None:
    answer = of_microsoft("turn that completes")
    assert answer.custom_status is None
    assert answer.actions == (CompleteWorkflow(seq=6, status=Status.COMPLETED, result="42"),)


def test_a_failure_keeps_its_cause_and_the_details_nobody_looks_into() -> None:
    (action,) = of_microsoft("turn that fails").actions
    assert isinstance(action, CompleteWorkflow)
    failure = action.failure
    assert (action.seq, action.status) == (-1, Status.FAILED)
    assert failure is not None
    assert (failure.kind, failure.message, failure.stack) == ("builtins.ValueError", "bad", "at 1")
    assert failure.is_non_retryable
    assert failure.cause == Failure(kind="KeyError", message="k")
    assert b"code" in failure.properties
    assert b"deep" in failure.properties
    assert decode_failure(encode_failure(failure)) == failure


def test_a_new_generation_takes_version_tags_and_unread_events() -> None:
    (action,) = of_microsoft("turn that continues as new").actions
    assert action == CompleteWorkflow(
        seq=7,
        status=Status.CONTINUED_AS_NEW,
        result="next",
        new_version="9",
        tags={"e": "f"},
        carryover=(EventReceived(at=SECOND_AT, name="Go", input="1"),),
    )


def test_a_rewind_is_answered_with_a_repaired_history() -> None:
    assert of_microsoft("turn that rewinds").actions == (
        ReplaceHistory(
            history=(
                TurnStarted(at=SECOND_AT),
                ActivityScheduled(at=SECOND_AT, seq=1, name="pack", tags={"a": "b"}),
                Rewound(at=SECOND_AT, reason="again", tags={"c": "d"}),
            )
        ),
    )


def test_a_repaired_history_brings_back_what_the_client_could_not_read() -> None:
    row = encode_event(ActivityScheduled(at=1, seq=1, name="pack", tags={"a": "b"}, task_execution_id="x"))
    response = microsoft_pb2.OrchestratorResponse()
    response.actions.add().rewind_orchestration.new_history.add().MergeFromString(row)
    (action,) = microsoft.read_turn_answer(response.SerializeToString()).actions
    assert isinstance(action, ReplaceHistory)
    assert [encode_event(event) for event in action.history] == [row]


def test_a_repaired_history_of_an_unknown_kind_is_refused() -> None:
    response = microsoft_pb2.OrchestratorResponse()
    response.actions.add().rewind_orchestration.new_history.add().generic_event.SetInParent()
    with pytest.raises(BadRequest, match="without a kind"):
        microsoft.read_turn_answer(response.SerializeToString())


def test_a_message_to_an_entity_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="message to an entity"):
        of_microsoft("turn of an entity's caller")


def test_a_chunk_says_that_more_follows() -> None:
    answer = of_microsoft("second chunk")
    assert (answer.is_partial, answer.chunk_index, answer.events_processed) == (True, 1, 0)


def test_a_whole_answer_is_no_chunk() -> None:
    answer = of_microsoft("turn that schedules")
    assert (answer.is_partial, answer.chunk_index, answer.events_processed) == (False, None, None)


def test_a_worker_may_ask_for_the_whole_history() -> None:
    assert of_microsoft("turn that wants its history").requires_history


@pytest.mark.parametrize("client", ["legacy", "dapr"])
def test_dapr_schedules_with_a_task_execution_id_and_its_router_does_no_harm(client: str) -> None:
    answer = of_dapr("turn that schedules", client)
    assert answer.actions == (ScheduleActivity(seq=1, name="pack", input="1", task_execution_id=TASK_EXECUTION_ID),)
    assert (answer.token, answer.patches, answer.version_name, answer.trace) == ("t", ("p1", "p2"), "v3", b"")


def test_an_empty_router_of_dapr_does_no_harm() -> None:
    assert of_dapr("turn with an empty router").actions == (SendEvent(seq=1, instance_id="other", name="Go"),)
    assert of_dapr("turn with an empty router", "legacy").actions == (CreateTimer(seq=0, fire_at=SECOND_AT),)


def test_dapr_starts_a_child() -> None:
    assert of_dapr("turn with a child").actions == (
        StartChild(seq=2, instance_id="i:0002", name="child", input="3", retry_of="i:0001"),
    )
    assert of_dapr("turn with a child", "legacy").actions == (StartChild(seq=2, instance_id="i:0002", name="child"),)


def test_daprs_timers_say_what_they_are_for() -> None:
    assert of_dapr("turn with timers").actions == (
        CreateTimer(seq=3, fire_at=SENTINEL_AT, name="Go", origin=TimerOrigin.EVENT_TIMEOUT, origin_name="Go"),
        CreateTimer(seq=4, fire_at=SECOND_AT, origin=TimerOrigin.ACTIVITY_RETRY, origin_name="x"),
        CreateTimer(seq=5, fire_at=SECOND_AT, origin=TimerOrigin.CHILD_RETRY, origin_name="y"),
        CreateTimer(seq=6, fire_at=SECOND_AT, origin=TimerOrigin.USER),
    )


@pytest.mark.parametrize("client", ["legacy", "dapr"])
def test_a_worker_without_the_version_stalls_the_instance(client: str) -> None:
    (action,) = of_dapr("turn without a version", client).actions
    assert isinstance(action, Stall)
    assert action.reason is StallReason.VERSION_NOT_AVAILABLE


def test_dapr_starts_a_workflow_apart() -> None:
    assert of_dapr("turn that starts apart").actions == (
        StartDetached(
            seq=8,
            instance_id="apart",
            name="audit",
            version="1",
            input="2",
            scheduled_at=SECOND_AT,
            execution_id="e",
            tags={"a": "b"},
            trace=Trace("p"),
        ),
    )


def test_only_received_events_are_carried_over_and_their_routers_do_no_harm() -> None:
    (action,) = of_dapr("turn that continues as new").actions
    assert isinstance(action, CompleteWorkflow)
    assert action.carryover == (EventReceived(at=SECOND_AT, name="Go", input="1"),)


@pytest.mark.parametrize("words", [microsoft, dapr, shared])
def test_activities_answer_alike_in_every_dialect(words: Words) -> None:
    worked = words.read_activity_answer(scenario("microsoft", "activity that works"))
    failed = words.read_activity_answer(scenario("microsoft", "activity that fails"))
    assert (worked.instance_id, worked.seq, worked.token, worked.result, worked.failure) == ("i", 0, "t", "", None)
    assert (failed.seq, failed.result, failed.failure) == (3, None, Failure(kind="E", message="m"))


@pytest.mark.parametrize("client", BY_CLIENT)
def test_an_unknown_client_is_understood_as_if_it_were_known(client: str) -> None:
    known = microsoft if client == "microsoft" else dapr
    turns = [name for name in BY_CLIENT[client]["scenarios"] if name.startswith("turn")]
    for name in turns:
        data = scenario(client, name)
        if name != "turn of an entity's caller":
            assert shared.read_turn_answer(data) == known.read_turn_answer(data), name


@pytest.mark.parametrize("words", [microsoft, dapr, shared])
def test_an_action_of_no_kind_is_refused(words: Words) -> None:
    response = microsoft_pb2.OrchestratorResponse(instance_id="i")
    response.actions.add(id=4)
    with pytest.raises(BadRequest, match="action 4 to be of a known kind"):
        words.read_turn_answer(response.SerializeToString())


@pytest.mark.parametrize("words", [microsoft, dapr, shared])
def test_an_unknown_status_is_refused(words: Words) -> None:
    response = microsoft_pb2.OrchestratorResponse()
    response.actions.add().complete_orchestration.orchestration_status = 9
    with pytest.raises(BadRequest, match="a status from 0 to 8, found 9"):
        words.read_turn_answer(response.SerializeToString())


@pytest.mark.parametrize("words", [microsoft, dapr, shared])
def test_a_timer_beyond_the_calendar_is_refused(words: Words) -> None:
    response = microsoft_pb2.OrchestratorResponse()
    response.actions.add().create_timer.fire_at.seconds = 2**62
    with pytest.raises(BadRequest, match="between the years 1 and 9999"):
        words.read_turn_answer(response.SerializeToString())
