"""What only the older Dapr client has: patches, a task execution id, errors that are not worth another attempt."""

import asyncio
import json
from datetime import timedelta

from durabletask import task
from durabletask.aio.client import AsyncTaskHubGrpcClient
from durabletask.client import OrchestrationStatus
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.support.clients.inside import eventually


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def soon(attempts: int, **more) -> task.RetryPolicy:
    return task.RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=attempts, **more)


def patchwork(ctx: task.OrchestrationContext, _):
    path = "new" if ctx.is_patched("cheaper") else "old"
    event = yield ctx.wait_for_external_event("go")
    return [path, event]


def without_the_patch(ctx: task.OrchestrationContext, _):
    event = yield ctx.wait_for_external_event("go")
    return ["old", event]


def under_one_name(function):
    return lambda worker: worker._registry.add_named_orchestrator("patchwork", function)


def versions(*functions):
    """Registers them as versions of one workflow; the last is the latest."""

    def prepare(worker):
        for function in functions:
            is_latest = function is functions[-1]
            worker._registry.add_named_orchestrator("shop", function, function.__name__, is_latest)

    return prepare


def one(ctx: task.OrchestrationContext, _):
    return ["one", (yield ctx.wait_for_external_event("go"))]


def two(ctx: task.OrchestrationContext, _):
    return ["two", (yield ctx.wait_for_external_event("go"))]


def await_status(client, instance_id: str, status: OrchestrationStatus) -> None:
    eventually(
        lambda: client.get_orchestration_state(instance_id).runtime_status is status, f"{instance_id} {status.name}"
    )


def test_a_patch_is_remembered(client, serve, finished):
    serve(prepare=under_one_name(patchwork))
    instance_id = client.schedule_new_orchestration("patchwork")
    client.wait_for_orchestration_start(instance_id, timeout=30)
    client.raise_orchestration_event(instance_id, "go", data=1)
    assert finished(instance_id).get_output() == ["new", 1]


def test_a_patch_that_is_gone_stalls_its_instances_until_it_is_back(client, serve, finished, leave):
    old = serve(prepare=under_one_name(patchwork))
    instance_id = client.schedule_new_orchestration("patchwork")
    client.wait_for_orchestration_start(instance_id, timeout=30)
    leave(old)
    new = serve(prepare=under_one_name(without_the_patch))
    client.raise_orchestration_event(instance_id, "go", data=1)
    await_status(client, instance_id, OrchestrationStatus.STALLED)
    leave(new)
    serve(prepare=under_one_name(patchwork))
    assert finished(instance_id).get_output() == ["new", 1]


def test_a_version_that_is_gone_stalls_its_instances_until_it_is_back(client, serve, finished, leave):
    old = serve(prepare=versions(one))
    instance_id = client.schedule_new_orchestration("shop")
    client.wait_for_orchestration_start(instance_id, timeout=30)
    leave(old)
    new = serve(prepare=versions(two))
    client.raise_orchestration_event(instance_id, "go", data=1)
    await_status(client, instance_id, OrchestrationStatus.STALLED)
    leave(new)
    serve(prepare=versions(one, two))
    assert finished(instance_id).get_output() == ["one", 1]


def test_attempts_of_one_call_share_an_execution_id(client, serve, finished):
    seen = []

    def flaky(ctx: task.ActivityContext, __):
        seen.append(ctx.task_execution_id)
        if len(seen) < 3:
            raise RuntimeError("not yet")

    def patient(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(flaky, retry_policy=soon(5))

    serve([patient], [flaky])
    finished(client.schedule_new_orchestration(patient))
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0]


def test_an_error_that_is_not_worth_it_is_not_tried_again(client, serve, finished):
    calls = []

    def hopeless(_: task.ActivityContext, __):
        calls.append(1)
        raise ValueError("no use")

    def patient(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(hopeless, retry_policy=soon(5, non_retryable_error_types=[ValueError]))

    serve([patient], [hopeless])
    state = finished(client.schedule_new_orchestration(patient), OrchestrationStatus.FAILED)
    assert "no use" in state.failure_details.message
    assert len(calls) == 1


def test_its_reuse_policies_ignore_or_replace(client, serve, finished, new_id):
    serve([echo, held])
    instance_id = client.schedule_new_orchestration(held, instance_id=new_id())
    client.wait_for_orchestration_start(instance_id, timeout=30)
    running = [pb.ORCHESTRATION_STATUS_RUNNING]
    ignore = pb.OrchestrationIdReusePolicy(action=pb.IGNORE, operationStatus=running)
    client.schedule_new_orchestration(echo, instance_id=instance_id, input="ignored", reuse_id_policy=ignore)
    assert client.get_orchestration_state(instance_id).runtime_status is OrchestrationStatus.RUNNING
    replace = pb.OrchestrationIdReusePolicy(action=pb.TERMINATE, operationStatus=running)
    client.schedule_new_orchestration(echo, instance_id=instance_id, input="new", reuse_id_policy=replace)
    assert finished(instance_id).get_output() == "new"


def test_a_purge_takes_an_ended_instance_away_with_its_children(client, serve, finished):
    def parent(ctx: task.OrchestrationContext, _):
        yield task.when_all([ctx.call_sub_orchestrator(echo), ctx.call_sub_orchestrator(echo)])

    serve([parent, echo])
    instance_id = client.schedule_new_orchestration(parent)
    finished(instance_id)
    client.purge_orchestration(instance_id)
    for gone in (instance_id, f"{instance_id}:0001", f"{instance_id}:0002"):
        assert client.get_orchestration_state(gone) is None


def test_the_async_client_does_what_the_sync_one_does(sidecar, serve):
    async def talk():
        async with AsyncTaskHubGrpcClient(host_address=sidecar.grpc) as client:
            instance_id = await client.schedule_new_orchestration(held)
            started = await client.wait_for_orchestration_start(instance_id, timeout=30)
            assert started is not None
            await client.suspend_orchestration(instance_id)
            await client.resume_orchestration(instance_id)
            await client.raise_orchestration_event(instance_id, "release", data={"by": "async"})
            state = await client.wait_for_orchestration_completion(instance_id, timeout=30)
            await client.purge_orchestration(instance_id)
            return state, await client.get_orchestration_state(instance_id)

    serve([held])
    state, gone = asyncio.run(talk())
    assert json.loads(state.serialized_output) == {"by": "async"}
    assert gone is None
