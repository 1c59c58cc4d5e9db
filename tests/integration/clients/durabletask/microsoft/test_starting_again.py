import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from durabletask import history, task
from durabletask.client import AsyncTaskHubGrpcClient
from durabletask.internal import orchestrator_service_pb2 as pb


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def code_of(error: pytest.ExceptionInfo[grpc.RpcError]) -> grpc.StatusCode:
    return error.value.code()


def test_the_id_of_an_ended_instance_is_free_again(client, serve, finished, new_id):
    serve([echo])
    instance_id = client.schedule_new_orchestration(echo, instance_id=new_id(), input="first")
    finished(instance_id)
    client.schedule_new_orchestration(echo, instance_id=instance_id, input="second")
    assert finished(instance_id).get_output() == "second"
    kinds = [type(event) for event in client.get_orchestration_history(instance_id)]
    assert kinds.count(history.ExecutionStartedEvent) == 1


def test_a_policy_replaces_a_running_instance_whose_status_it_lists(client, serve, finished, new_id):
    serve([held, echo])
    instance_id = client.schedule_new_orchestration(held, instance_id=new_id())
    client.wait_for_orchestration_start(instance_id)
    policy = pb.OrchestrationIdReusePolicy(
        replaceableStatus=[pb.ORCHESTRATION_STATUS_RUNNING, pb.ORCHESTRATION_STATUS_TERMINATED]
    )
    client.schedule_new_orchestration(echo, instance_id=instance_id, input="new", reuse_id_policy=policy)
    assert finished(instance_id).get_output() == "new"


def test_a_policy_refuses_an_ended_instance_whose_status_it_does_not_list(client, serve, finished, new_id):
    serve([echo])
    instance_id = client.schedule_new_orchestration(echo, instance_id=new_id(), input="old")
    finished(instance_id)
    policy = pb.OrchestrationIdReusePolicy(replaceableStatus=[pb.ORCHESTRATION_STATUS_FAILED])
    with pytest.raises(grpc.RpcError) as error:
        client.schedule_new_orchestration(echo, instance_id=instance_id, reuse_id_policy=policy)
    assert code_of(error) is grpc.StatusCode.ALREADY_EXISTS
    assert finished(instance_id).get_output() == "old"


def test_times_are_those_of_the_run(client, serve, finished):
    serve([echo])
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(milliseconds=1)
    state = finished(client.schedule_new_orchestration(echo))
    after = datetime.now(UTC).replace(tzinfo=None) + timedelta(milliseconds=1)
    assert before <= state.created_at <= state.last_updated_at <= after


def test_the_async_client_starts_waits_raises_and_purges(sidecar, serve):
    async def talk():
        async with AsyncTaskHubGrpcClient(host_address=sidecar.grpc) as client:
            instance_id = await client.schedule_new_orchestration(held)
            started = await client.wait_for_orchestration_start(instance_id)
            assert started is not None
            await client.raise_orchestration_event(instance_id, "release", data={"by": "async"})
            state = await client.wait_for_orchestration_completion(instance_id, timeout=30)
            purged = await client.purge_orchestration(instance_id)
            return state, purged, await client.get_orchestration_state(instance_id)

    serve([held])
    state, purged, gone = asyncio.run(talk())
    assert state is not None
    assert state.get_output() == {"by": "async"}
    assert (purged.deleted_instance_count, gone) == (1, None)
