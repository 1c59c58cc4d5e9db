"""Whatever bytes come over the connection: an answer or a named error, never a crash, and the sidecar serves on."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast_proto.durabletask import dapr_pb2
from holdfast_proto.durabletask import microsoft_pb2 as pb
from tests.unit.sidecar.api.fuzz import messages, torn
from tests.unit.sidecar.api.world import World, a_world, until

_REQUESTS: Final[dict[str, list[type[Message]]]] = {
    "StartInstance": [pb.CreateInstanceRequest, dapr_pb2.CreateInstanceRequest],
    "GetInstance": [pb.GetInstanceRequest, dapr_pb2.GetInstanceRequest],
    "RaiseEvent": [pb.RaiseEventRequest, dapr_pb2.RaiseEventRequest],
    "TerminateInstance": [pb.TerminateRequest, dapr_pb2.TerminateRequest],
    "SuspendInstance": [pb.SuspendRequest, dapr_pb2.SuspendRequest],
    "ResumeInstance": [pb.ResumeRequest, dapr_pb2.ResumeRequest],
    "RewindInstance": [pb.RewindInstanceRequest],
    "RestartInstance": [pb.RestartInstanceRequest],
    "RerunWorkflowFromEvent": [dapr_pb2.RerunWorkflowFromEventRequest],
    "PurgeInstances": [pb.PurgeInstancesRequest, dapr_pb2.PurgeInstancesRequest],
    "QueryInstances": [pb.QueryInstancesRequest],
    "ListInstanceIds": [pb.ListInstanceIdsRequest],
    "ListInstanceIDs": [dapr_pb2.ListInstanceIDsRequest],
    "GetInstanceHistory": [dapr_pb2.GetInstanceHistoryRequest],
    "CompleteOrchestratorTask": [pb.OrchestratorResponse, dapr_pb2.OrchestratorResponse],
    "CompleteWorkflowTask": [pb.OrchestratorResponse, dapr_pb2.OrchestratorResponse],
    "CompleteActivityTask": [pb.ActivityResponse, dapr_pb2.ActivityResponse],
    "AbandonTaskActivityWorkItem": [pb.AbandonActivityTaskRequest],
    "AbandonTaskOrchestratorWorkItem": [pb.AbandonOrchestrationTaskRequest],
    "Hello": [pb.GetInstanceRequest],
}
_NAMED: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_FUZZ: Final = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, bytes]:
    method = draw(st.sampled_from(sorted(_REQUESTS)))
    kind = draw(st.sampled_from(_REQUESTS[method]))
    return method, draw(st.one_of(messages(kind), torn(messages(kind)), st.binary(max_size=40)))


@_FUZZ
@given(call=calls())
async def test_every_call_is_answered_or_refused_by_name(world: World, call: tuple[str, bytes]) -> None:
    code, text = await world.tried(*call)
    assert code is grpc.StatusCode.OK or (code in _NAMED and text), (code, text)
    assert await world.call("Hello") == b""


@_FUZZ
@given(data=st.one_of(messages(pb.OrchestratorResponse), messages(dapr_pb2.OrchestratorResponse)))
async def test_whatever_the_holder_of_a_turn_answers_is_taken_or_named(data: bytes) -> None:
    """Id and token come last, so that it is the answer of the one who has the turn. It may start other instances."""
    async with a_world() as world:
        worker = await world.worker(pb.GetWorkItemsRequest(worker_instance_id="w"))
        await world.start()
        token = (await worker.turn()).completion_token
        head = pb.OrchestratorResponse(instance_id="i", completion_token=token)
        code, text = await world.tried("CompleteOrchestratorTask", data + head.SerializeToString())
        assert code is grpc.StatusCode.OK or (code in _NAMED and text), (code, text)
        assert await world.call("Hello") == b""


@_FUZZ
@given(data=st.one_of(messages(pb.GetWorkItemsRequest), messages(dapr_pb2.GetWorkItemsRequest), st.binary(max_size=40)))
async def test_every_request_for_work_opens_a_stream_or_is_refused_by_name(world: World, data: bytes) -> None:
    stream = world.stream("GetWorkItems", data)
    await until(lambda: stream.is_over or bool(world.host.pool.workers))
    if stream.is_over:
        assert await stream.code() in _NAMED
        assert await stream.details()
    else:
        await stream.hang_up()
