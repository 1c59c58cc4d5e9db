import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from dapr.ext.workflow import DaprWorkflowContext, WorkflowStatus
from dapr.ext.workflow.aio import DaprWorkflowClient as AsyncDaprWorkflowClient


def echo(_: DaprWorkflowContext, value):
    return value


def held(ctx: DaprWorkflowContext, _):
    return (yield ctx.wait_for_external_event("release"))


@pytest.mark.parametrize("value", [None, "", "text", "Ünïcödé \u2603 \U0001f680", 0, 1.5, [1, [2]], {"a": {"b": None}}])
def test_an_input_comes_back_as_it_was(client, serve, finished, value):
    serve([echo])
    state = finished(client.schedule_new_workflow(echo, input=value))
    assert json.loads(state.serialized_output or "null") == value


def test_an_instance_runs_under_the_id_it_was_given(client, serve, finished, new_id):
    serve([echo])
    given = new_id()
    assert client.schedule_new_workflow(echo, instance_id=given, input=1) == given
    state = finished(given)
    assert (state.instance_id, state.name, state.serialized_output) == (given, "echo", "1")


def test_payloads_are_left_out_when_not_asked_for(client, serve, finished):
    serve([echo])
    instance_id = client.schedule_new_workflow(echo, input="in")
    finished(instance_id)
    state = client.get_workflow_state(instance_id, fetch_payloads=False)
    assert (state.serialized_input, state.serialized_output) == (None, None)


def test_what_is_unknown_is_none(client, new_id):
    assert client.get_workflow_state(new_id()) is None
    assert client.wait_for_workflow_start(new_id(), timeout_in_seconds=5) is None
    assert client.wait_for_workflow_completion(new_id(), timeout_in_seconds=5) is None


def test_without_a_worker_an_instance_is_pending_and_waits_time_out(client, serve, finished):
    instance_id = client.schedule_new_workflow(echo, input=7)
    assert client.get_workflow_state(instance_id).runtime_status is WorkflowStatus.PENDING
    with pytest.raises(TimeoutError):
        client.wait_for_workflow_start(instance_id, timeout_in_seconds=1)
    serve([echo])
    assert finished(instance_id).serialized_output == "7"


def test_a_running_instance_keeps_its_id(client, serve, finished, new_id):
    serve([held, echo])
    instance_id = client.schedule_new_workflow(held, instance_id=new_id())
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    with pytest.raises(grpc.RpcError) as error:
        client.schedule_new_workflow(echo, instance_id=instance_id)
    assert error.value.code() is grpc.StatusCode.ALREADY_EXISTS
    client.raise_workflow_event(instance_id, "release", data="still the first")
    assert finished(instance_id).serialized_output == '"still the first"'


def test_the_id_of_an_ended_instance_is_free_again(client, serve, finished, new_id):
    serve([echo])
    instance_id = client.schedule_new_workflow(echo, instance_id=new_id(), input="first")
    finished(instance_id)
    client.schedule_new_workflow(echo, instance_id=instance_id, input="second")
    assert finished(instance_id).serialized_output == '"second"'


def test_a_scheduled_start_is_pending_until_its_time(client, serve, finished):
    serve([echo])
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    instance_id = client.schedule_new_workflow(echo, start_at=due, input="late")
    assert client.get_workflow_state(instance_id).runtime_status is WorkflowStatus.PENDING
    finished(instance_id)
    assert datetime.now(UTC) >= due


def test_a_burst_of_starts_loses_none(client, serve, finished):
    serve([echo])
    ids = [client.schedule_new_workflow(echo, input=number) for number in range(100)]
    assert [finished(instance_id).serialized_output for instance_id in ids] == [str(n) for n in range(100)]


@pytest.mark.asyncio
async def test_the_async_client_does_what_the_sync_one_does(sidecar, serve, new_id):
    serve([echo, held])
    client = AsyncDaprWorkflowClient(host=sidecar.host, port=sidecar.port)
    instance_id = await client.schedule_new_workflow(held, instance_id=new_id())
    started = await client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    assert started.runtime_status is WorkflowStatus.RUNNING
    await client.pause_workflow(instance_id)
    assert (await client.get_workflow_state(instance_id)).runtime_status is WorkflowStatus.SUSPENDED
    await client.resume_workflow(instance_id)
    await client.raise_workflow_event(instance_id, "release", data={"by": "async"})
    state = await client.wait_for_workflow_completion(instance_id, timeout_in_seconds=30)
    assert json.loads(state.serialized_output) == {"by": "async"}
    assert [event.event_type.name for event in await client.get_workflow_history(instance_id)]
    assert instance_id in [found async for found in client.iter_workflow_instance_ids(page_size=3)]
    await client.purge_workflow(instance_id)
    assert await client.get_workflow_state(instance_id) is None


@pytest.mark.asyncio
async def test_the_async_client_terminates_and_times_out(sidecar, serve):
    serve([held])
    client = AsyncDaprWorkflowClient(host=sidecar.host, port=sidecar.port)
    instance_id = await client.schedule_new_workflow(held)
    with pytest.raises(TimeoutError):
        await client.wait_for_workflow_completion(instance_id, timeout_in_seconds=1)
    await client.terminate_workflow(instance_id, output="enough")
    state = await client.wait_for_workflow_completion(instance_id, timeout_in_seconds=30)
    assert (state.runtime_status, state.serialized_output) == (WorkflowStatus.TERMINATED, '"enough"')
