"""Management calls over a real connection: each does what it says, or names what is wrong and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Final

import grpc
import pytest
from google.protobuf.message import Message

from holdfast_proto.durabletask import dapr_pb2
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_proto.history import Status
from holdfast_sidecar.api.durabletask.management import HISTORY_CHUNK
from holdfast_sidecar.api.refusal import TEXT_MAX
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.stores.faults import FailBefore, Script
from tests.unit.sidecar.api.world import World, a_world, activity_answer, complete, eventually, schedule, until

INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT
MISSING: Final = grpc.StatusCode.NOT_FOUND
EXISTS: Final = grpc.StatusCode.ALREADY_EXISTS
WRONG: Final = grpc.StatusCode.FAILED_PRECONDITION


async def completed(world: World, instance_id: str = "i", *, text: str = '"ok"') -> None:
    """An instance that has ended after one activity."""
    worker = await world.worker(pb.GetWorkItemsRequest(worker_instance_id="w"))
    await world.start(instance_id, text='"in"')
    await world.answer(await worker.turn(), schedule(1))
    await world.call("CompleteActivityTask", activity_answer(await worker.activity()))
    await world.answer(await worker.turn(), complete(result=text))
    await worker.hang_up()
    await ended(world, instance_id)


async def ended(world: World, instance_id: str = "i") -> None:
    async def has_ended() -> bool:
        stored = await world.stored(instance_id)
        return stored is not None and stored.record.status.is_terminal

    await eventually(has_ended)


async def failed(world: World, instance_id: str = "i") -> None:
    worker = await world.worker(pb.GetWorkItemsRequest(worker_instance_id="w"))
    await world.start(instance_id)
    action = complete()
    action.complete_orchestration.orchestration_status = Status.FAILED
    await world.answer(await worker.turn(), action)
    await worker.hang_up()
    await ended(world, instance_id)


# -- start and look --------------------------------------------------------------------------------------------------


async def test_a_start_is_durable_when_it_is_answered(world: World) -> None:
    answer = await world.call("StartInstance", pb.CreateInstanceRequest(instance_id="i", name="order"))
    assert pb.CreateInstanceResponse.FromString(answer).instance_id == "i"
    assert await world.stored() is not None


async def test_a_start_without_an_id_is_given_one(world: World) -> None:
    answer = await world.call("StartInstance", pb.CreateInstanceRequest(name="order"))
    assert await world.stored(pb.CreateInstanceResponse.FromString(answer).instance_id) is not None


async def test_a_pending_instance_shows_what_is_known_of_it(world: World) -> None:
    request = pb.CreateInstanceRequest(instance_id="i", name="order", tags={"a": "b"})
    request.version.value, request.input.value = "2", '"in"'
    await world.call("StartInstance", request)
    state = await world.state()
    assert (state.instance_id, state.name, state.version.value, state.input.value) == ("i", "order", "2", '"in"')
    assert (state.orchestration_status, dict(state.tags)) == (Status.PENDING, {"a": "b"})
    assert state.HasField("created_timestamp")
    assert state.HasField("last_updated_timestamp")
    assert not state.HasField("output")
    assert not state.HasField("custom_status")


async def test_payloads_are_shown_only_when_asked_for(world: World) -> None:
    await completed(world)
    found = pb.GetInstanceResponse.FromString(await world.call("GetInstance", pb.GetInstanceRequest(instance_id="i")))
    assert not found.orchestration_state.HasField("input")
    assert not found.orchestration_state.HasField("output")


@pytest.mark.parametrize("method", ["GetInstance", "WaitForInstanceStart", "WaitForInstanceCompletion"])
async def test_an_unknown_instance_does_not_exist_and_is_not_waited_for(world: World, method: str) -> None:
    assert not (await world.found(method, "unknown")).exists


# -- waiting ---------------------------------------------------------------------------------------------------------


async def test_who_waits_hears_of_the_start_and_of_the_end(world: World) -> None:
    await world.start()
    started = asyncio.ensure_future(world.found("WaitForInstanceStart"))
    done = asyncio.ensure_future(world.found("WaitForInstanceCompletion"))
    await until(lambda: len(world.host.watchers) == 2)
    worker = await world.worker()
    await world.answer(await worker.turn(), schedule(1))
    assert (await started).orchestration_state.orchestration_status == Status.RUNNING
    assert not done.done()
    await world.call("CompleteActivityTask", activity_answer(await worker.activity()))
    await world.answer(await worker.turn(), complete())
    assert (await done).orchestration_state.output.value == '"ok"'
    assert len(world.host.watchers) == 0


async def test_who_waits_hears_that_the_instance_is_gone(world: World) -> None:
    await world.start()
    done = asyncio.ensure_future(world.found("WaitForInstanceCompletion"))
    await until(lambda: len(world.host.watchers) == 1)
    await world.call("PurgeInstances", pb.PurgeInstancesRequest(instance_id="i").SerializeToString() + b"\x20\x01")
    assert not (await done).exists


async def test_what_has_ended_is_not_waited_for(world: World) -> None:
    await completed(world)
    for method in ("WaitForInstanceStart", "WaitForInstanceCompletion"):
        assert (await world.found(method)).orchestration_state.orchestration_status == Status.COMPLETED


@pytest.mark.parametrize("method", ["WaitForInstanceStart", "WaitForInstanceCompletion"])
async def test_a_client_that_stops_waiting_leaves_nothing_behind(world: World, method: str) -> None:
    await world.start()
    calls = [asyncio.ensure_future(world.found(method)) for _ in range(5)]
    await until(lambda: len(world.host.watchers) == 5)
    for call in calls:
        call.cancel()
    await until(lambda: len(world.host.watchers) == 0)


# -- steer -----------------------------------------------------------------------------------------------------------


async def test_an_event_reaches_the_next_turn(world: World) -> None:
    worker = await world.worker()
    await world.start()
    await world.answer(await worker.turn())
    raised = pb.RaiseEventRequest(instance_id="i", name="Paid")
    raised.input.value = "7"
    await world.call("RaiseEvent", raised)
    event = (await worker.turn()).orchestrator_request.new_events[1].event_raised
    assert (event.name, event.input.value) == ("Paid", "7")


async def test_a_suspended_instance_shows_it_at_once_and_resumes(world: World) -> None:
    await world.start()
    await world.call("SuspendInstance", pb.SuspendRequest(instance_id="i"))
    assert (await world.state()).orchestration_status == Status.SUSPENDED
    await world.call("ResumeInstance", pb.ResumeRequest(instance_id="i"))
    assert (await world.state()).orchestration_status == Status.PENDING


async def test_a_terminated_instance_ends_with_the_output_given(world: World) -> None:
    await world.start()
    request = pb.TerminateRequest(instance_id="i")
    request.output.value = '"stop"'
    await world.call("TerminateInstance", request)
    await ended(world)
    state = await world.state()
    assert (state.orchestration_status, state.output.value) == (Status.TERMINATED, '"stop"')


async def test_a_failed_instance_is_rewound(world: World) -> None:
    await failed(world)
    await world.call("RewindInstance", pb.RewindInstanceRequest(instance_id="i"))
    assert (await world.state()).orchestration_status == Status.RUNNING


async def test_an_ended_instance_is_restarted_under_its_id_or_a_new_one(world: World) -> None:
    await completed(world)
    for is_new in (True, False):
        request = pb.RestartInstanceRequest(instance_id="i", restart_with_new_instance_id=is_new)
        answer = pb.RestartInstanceResponse.FromString(await world.call("RestartInstance", request))
        assert (answer.instance_id == "i") is not is_new
        state = await world.state(answer.instance_id)
        assert (state.orchestration_status, state.input.value) == (Status.PENDING, '"in"')


async def test_an_ended_instance_is_run_again_from_one_of_its_events(world: World) -> None:
    await completed(world)
    request = dapr_pb2.RerunWorkflowFromEventRequest(source_instance_id="i", event_id=1, new_instance_id="j")
    answer = dapr_pb2.RerunWorkflowFromEventResponse.FromString(await world.call("RerunWorkflowFromEvent", request))
    assert answer.new_instance_id == "j"
    assert (await world.state("j")).orchestration_status == Status.RUNNING


# -- purge, list, history --------------------------------------------------------------------------------------------


async def purge(world: World, request: pb.PurgeInstancesRequest) -> tuple[int, bool]:
    answer = pb.PurgeInstancesResponse.FromString(await world.call("PurgeInstances", request))
    return answer.deleted_instance_count, answer.is_complete.value


async def test_ended_instances_are_purged_one_by_one_by_list_and_by_filter(world: World) -> None:
    for instance_id in "abcde":
        await completed(world, instance_id)
    await world.start("runs")
    assert await purge(world, pb.PurgeInstancesRequest(instance_id="a")) == (1, True)
    batch = pb.PurgeInstancesRequest(instance_batch=pb.InstanceBatch(instance_ids=["b", "a", "runs", "unknown"]))
    assert await purge(world, batch) == (1, True)
    matching = pb.PurgeInstancesRequest(purge_instance_filter=pb.PurgeInstanceFilter(runtime_status=[Status.FAILED]))
    assert await purge(world, matching) == (0, True)
    everything = pb.PurgeInstancesRequest(purge_instance_filter=pb.PurgeInstanceFilter())
    assert await purge(world, everything) == (3, True)
    assert [stored.record.id for stored in await world.snapshot() if stored is not None] == ["runs"]


async def test_a_purge_that_runs_out_of_time_says_so(world: World) -> None:
    await completed(world)
    request = pb.PurgeInstancesRequest(purge_instance_filter=pb.PurgeInstanceFilter())
    request.purge_instance_filter.timeout.seconds = 0
    request.purge_instance_filter.timeout.nanos = 0
    assert await purge(world, request) == (0, False)


async def test_a_running_instance_is_purged_only_by_force(world: World) -> None:
    await world.start()
    assert await purge(world, pb.PurgeInstancesRequest(instance_id="i")) == (0, True)
    forced = dapr_pb2.PurgeInstancesRequest(instance_id="i", force=True)
    await world.call("PurgeInstances", forced)
    assert await world.stored() is None


async def test_a_query_gives_page_after_page(world: World) -> None:
    for number in range(5):
        await world.start(f"i{number}")
    found, cursor = list[str](), ""
    for _ in range(3):
        query = pb.QueryInstancesRequest(query=pb.InstanceQuery(max_instance_count=2))
        query.query.instance_id_prefix.value = "i"
        if cursor:
            query.query.continuation_token.value = cursor
        page = pb.QueryInstancesResponse.FromString(await world.call("QueryInstances", query))
        found += [state.instance_id for state in page.orchestration_state]
        cursor = page.continuation_token.value
    assert (found, cursor) == ([f"i{number}" for number in range(5)], "")


async def test_both_lists_of_ids_are_served(world: World) -> None:
    await completed(world, "ended")
    await world.start("runs")
    ours = pb.ListInstanceIdsResponse.FromString(await world.call("ListInstanceIds"))
    theirs = dapr_pb2.ListInstanceIDsResponse.FromString(await world.call("ListInstanceIDs"))
    assert (list(ours.instance_ids), sorted(theirs.instance_ids)) == (["ended"], ["ended", "runs"])


async def test_lists_of_ids_go_on_where_they_stopped(world: World) -> None:
    for instance_id in "abc":
        await completed(world, instance_id)
    first = pb.ListInstanceIdsResponse.FromString(
        await world.call("ListInstanceIds", pb.ListInstanceIdsRequest(page_size=2))
    )
    rest = pb.ListInstanceIdsRequest(page_size=2)
    rest.last_instance_key.value = first.last_instance_key.value
    last = pb.ListInstanceIdsResponse.FromString(await world.call("ListInstanceIds", rest))
    assert [*first.instance_ids, *last.instance_ids] == ["a", "b", "c"]
    assert not last.HasField("last_instance_key")


async def test_the_history_of_an_ended_instance_ends_with_its_completion(world: World) -> None:
    await completed(world)
    answer = await world.call("GetInstanceHistory", dapr_pb2.GetInstanceHistoryRequest(instance_id="i"))
    theirs = [e.WhichOneof("event_type") for e in dapr_pb2.GetInstanceHistoryResponse.FromString(answer).events]
    assert theirs == [
        "orchestrator_started",
        "execution_started",
        "task_scheduled",
        "orchestrator_started",
        "task_completed",
        "execution_completed",
    ]
    stream = world.stream("StreamInstanceHistory", pb.StreamInstanceHistoryRequest(instance_id="i"))
    ours = [event.WhichOneof("event_type") for event in (await stream.item(pb.HistoryChunk)).events]
    assert ours == theirs
    assert await stream.frame() is None
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_long_history_is_streamed_in_chunks(world: World) -> None:
    worker = await world.worker()
    await world.start()
    await world.answer(await worker.turn(), *(schedule(seq) for seq in range(HISTORY_CHUNK)))
    stream = world.stream("StreamInstanceHistory", pb.StreamInstanceHistoryRequest(instance_id="i"))
    sizes = [len((await stream.item(pb.HistoryChunk)).events) for _ in range(2)]
    assert sizes == [HISTORY_CHUNK, 2]
    assert await stream.frame() is None


async def test_the_history_of_an_unknown_instance_is_not_found(world: World) -> None:
    stream = world.stream("StreamInstanceHistory", pb.StreamInstanceHistoryRequest(instance_id="i"))
    assert await stream.frame() is None
    assert await stream.code() is MISSING
    assert "no such instance exists" in await stream.details()


# -- what is wrong ---------------------------------------------------------------------------------------------------

_LONG = "x" * 300
_FILTER_OF_NOTHING = pb.InstanceQuery(runtime_status=[77])


def _scheduled(name: str = "order", instance_id: str = "new", **fields: object) -> pb.CreateInstanceRequest:
    return pb.CreateInstanceRequest(instance_id=instance_id, name=name, **fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def _event(name: str, instance_id: str = "i", text: str = "") -> pb.RaiseEventRequest:
    request = pb.RaiseEventRequest(instance_id=instance_id, name=name)
    request.input.value = text
    return request


_WRONG: Final[list[tuple[str, Message, grpc.StatusCode, str]]] = [
    ("StartInstance", _scheduled(name=""), INVALID, "start: expected a workflow name, found none"),
    ("StartInstance", _scheduled(name=_LONG), INVALID, "expected at most 256 characters, found 300"),
    ("StartInstance", _scheduled(instance_id=_LONG), INVALID, "expected at most 256 characters, found 300"),
    ("StartInstance", _scheduled(instance_id="a\n"), INVALID, "expected printable characters only"),
    ("StartInstance", _scheduled(instance_id="i"), EXISTS, "'i'"),
    ("GetInstance", pb.GetInstanceRequest(), INVALID, "get: expected an instance id, found none"),
    ("GetInstance", pb.GetInstanceRequest(instance_id="x" * 100_000), INVALID, "found 100000; use a shorter id"),
    ("WaitForInstanceStart", pb.GetInstanceRequest(), INVALID, "wait for start: expected an instance id"),
    ("WaitForInstanceCompletion", pb.GetInstanceRequest(), INVALID, "wait for completion: expected an instance id"),
    ("RaiseEvent", _event(""), INVALID, "raise event: expected an event name"),
    ("RaiseEvent", _event(_LONG), INVALID, "expected at most 256 characters, found 300"),
    ("RaiseEvent", _event("e", "unknown"), MISSING, "'unknown': no such instance exists"),
    ("RaiseEvent", _event("e", text="x" * 2000), INVALID, "expected at most 1000 bytes, found 2000"),
    ("TerminateInstance", pb.TerminateRequest(), INVALID, "terminate: expected an instance id"),
    ("SuspendInstance", pb.SuspendRequest(instance_id="unknown"), MISSING, "no such instance exists"),
    ("ResumeInstance", pb.ResumeRequest(instance_id="unknown"), MISSING, "no such instance exists"),
    ("RewindInstance", pb.RewindInstanceRequest(instance_id="unknown"), MISSING, "no such instance exists"),
    ("RewindInstance", pb.RewindInstanceRequest(instance_id="i"), WRONG, "only a failed instance can be rewound"),
    ("RestartInstance", pb.RestartInstanceRequest(instance_id="unknown"), MISSING, "no such instance exists"),
    ("RestartInstance", pb.RestartInstanceRequest(instance_id="i"), WRONG, "restart it when it has ended"),
    ("RerunWorkflowFromEvent", dapr_pb2.RerunWorkflowFromEventRequest(source_instance_id="u"), MISSING, "'u'"),
    ("RerunWorkflowFromEvent", dapr_pb2.RerunWorkflowFromEventRequest(source_instance_id="i"), INVALID, "'i'"),
    (
        "PurgeInstances",
        pb.PurgeInstancesRequest(),
        INVALID,
        "purge: expected an instance id, a list of them or a filter",
    ),
    ("PurgeInstances", pb.PurgeInstancesRequest(instance_id=""), INVALID, "purge: expected an instance id, found none"),
    ("QueryInstances", pb.QueryInstancesRequest(query=_FILTER_OF_NOTHING), INVALID, "a status from 0 to 8, found 77"),
    (
        "QueryInstances",
        pb.QueryInstancesRequest(query=pb.InstanceQuery(max_instance_count=-1)),
        INVALID,
        "query: expected a page size of 0 or more, found -1",
    ),
    ("ListInstanceIds", pb.ListInstanceIdsRequest(page_size=-1), INVALID, "a page size of 0 or more"),
    ("ListInstanceIDs", dapr_pb2.ListInstanceIDsRequest(continuation_token="?"), INVALID, "cursor"),
    ("GetInstanceHistory", dapr_pb2.GetInstanceHistoryRequest(instance_id="unknown"), MISSING, "no such instance"),
]


@pytest.mark.parametrize(("method", "message", "code", "text"), _WRONG)
async def test_what_is_wrong_is_named_and_changes_nothing(
    method: str, message: Message, code: grpc.StatusCode, text: str
) -> None:
    async with a_world(limits=Limits(payload_bytes_max=1000)) as world:
        await world.start()
        before = await world.snapshot()
        found, details = await world.refused(method, message)
        assert (found, text in details) == (code, True), details
        assert await world.snapshot() == before


_UNARY: Final = [
    "StartInstance", "GetInstance", "WaitForInstanceStart", "WaitForInstanceCompletion", "RaiseEvent",
    "TerminateInstance", "SuspendInstance", "ResumeInstance", "RewindInstance", "RestartInstance",
    "RerunWorkflowFromEvent", "PurgeInstances", "QueryInstances", "ListInstanceIds", "ListInstanceIDs",
    "GetInstanceHistory",
]  # fmt: skip


@pytest.mark.parametrize("method", _UNARY)
async def test_bytes_that_are_no_request_are_refused_by_name(world: World, method: str) -> None:
    code, text = await world.refused(method, b"\x0a\xff\xff")
    assert code is INVALID
    assert ": expected an encoded " in text
    assert text.endswith("found 3 bytes of another form")


@pytest.mark.parametrize(
    "method",
    ["SignalEntity", "GetEntity", "QueryEntities", "CleanEntityStorage", "CompleteEntityTask", "CreateTaskHub"],
)
async def test_entities_and_task_hubs_are_not_served(world: World, method: str) -> None:
    code, _ = await world.refused(method)
    assert code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_store_that_fails_is_unavailable_to_callers(world: World) -> None:
    world.store.plan = Script({"view": [FailBefore()], "query": [FailBefore()], "history": [FailBefore()]})
    for method, message in (
        ("GetInstance", pb.GetInstanceRequest(instance_id="i")),
        ("QueryInstances", pb.QueryInstancesRequest()),
    ):
        code, text = await world.refused(method, message)
        assert (code, text.partition(":")[0]) == (grpc.StatusCode.UNAVAILABLE, "the store did not answer")


async def test_an_error_is_never_longer_than_trailers_may_be(world: World) -> None:
    statuses = list(range(100)) * 400
    query = pb.QueryInstancesRequest(query=pb.InstanceQuery(runtime_status=statuses))
    _, text = await world.refused("QueryInstances", query)
    assert len(text) <= TEXT_MAX
    policy = pb.OrchestrationIdReusePolicy(replaceable_status=[Status.RUNNING])
    code, _ = await world.refused("StartInstance", _scheduled(orchestration_id_reuse_policy=policy))
    assert code is INVALID
