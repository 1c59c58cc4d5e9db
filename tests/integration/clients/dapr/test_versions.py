"""Named versions and patches: an instance that no worker fits stands still, with all it has, until one comes."""

import json
import types

import grpc
import pytest
from dapr.ext.workflow import DaprWorkflowContext, WorkflowStatus

from tests.support.clients.inside import eventually


def output_of(state):
    return json.loads(state.serialized_output)


def await_status(client, instance_id: str, status: WorkflowStatus) -> None:
    eventually(lambda: client.get_workflow_state(instance_id).runtime_status is status, f"{instance_id} {status.name}")


def one(ctx: DaprWorkflowContext, _):
    first = yield ctx.wait_for_external_event("go")
    second = yield ctx.wait_for_external_event("go")
    return ["one", first, second]


def two(ctx: DaprWorkflowContext, _):
    first = yield ctx.wait_for_external_event("go")
    return ["two", first]


def versions(*functions):
    """Registers them as versions of one workflow; the last is the latest."""

    def prepare(runtime):
        for function in functions:
            copy = copy_of(function)
            runtime.register_versioned_workflow(
                copy, name="shop", version_name=function.__name__, is_latest=function is functions[-1]
            )

    return prepare


def copy_of(function):
    return types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def test_new_instances_run_the_latest_version(client, serve, finished):
    serve(prepare=versions(one, two))
    instance_id = client.schedule_new_workflow("shop")
    client.raise_workflow_event(instance_id, "go", data=1)
    assert output_of(finished(instance_id)) == ["two", 1]


def test_an_instance_keeps_the_version_it_began_with(client, serve, finished, leave):
    old = serve(prepare=versions(one))
    instance_id = client.schedule_new_workflow("shop")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    leave(old)
    serve(prepare=versions(one, two))
    client.raise_workflow_event(instance_id, "go", data=1)
    client.raise_workflow_event(instance_id, "go", data=2)
    assert output_of(finished(instance_id)) == ["one", 1, 2]


def test_a_version_that_is_gone_stalls_its_instances_until_it_is_back(client, serve, finished, leave):
    old = serve(prepare=versions(one))
    instance_id = client.schedule_new_workflow("shop")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    leave(old)
    new = serve(prepare=versions(two))
    client.raise_workflow_event(instance_id, "go", data=1)
    await_status(client, instance_id, WorkflowStatus.STALLED)
    client.raise_workflow_event(instance_id, "go", data=2)
    leave(new)
    serve(prepare=versions(one, two))
    assert output_of(finished(instance_id)) == ["one", 1, 2]


def test_a_stalled_instance_is_not_tried_in_a_hot_loop_and_can_be_terminated(client, serve, finished, sidecar, leave):
    old = serve(prepare=versions(one))
    instance_id = client.schedule_new_workflow("shop")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    leave(old)
    received = Turns()
    serve(prepare=versions(two), interceptors=[received])
    for number in (1, 2):
        client.raise_workflow_event(instance_id, "go", data=number)
        await_status(client, instance_id, WorkflowStatus.STALLED)
    with pytest.raises(TimeoutError):
        client.wait_for_workflow_completion(instance_id, timeout_in_seconds=1)
    assert received.number <= 2
    client.terminate_workflow(instance_id, output="given up")
    assert output_of(finished(instance_id, WorkflowStatus.TERMINATED)) == "given up"


class Turns(grpc.UnaryUnaryClientInterceptor):
    """Counts what a worker answers."""

    def __init__(self) -> None:
        self.number = 0

    def intercept_unary_unary(self, continuation, client_call_details, request):
        self.number += client_call_details.method.endswith("CompleteOrchestratorTask")
        return continuation(client_call_details, request)


def patched(ctx: DaprWorkflowContext, _):
    path = "new" if ctx.is_patched("cheaper") else "old"
    event = yield ctx.wait_for_external_event("go")
    return [path, event]


def unpatched(ctx: DaprWorkflowContext, _):
    event = yield ctx.wait_for_external_event("go")
    return ["old", event]


def under_one_name(function):
    return lambda runtime: runtime.register_workflow(copy_of(function), name="patchwork")


def test_a_patch_is_taken_by_new_instances_and_remembered(client, serve, finished):
    serve(prepare=under_one_name(patched))
    instance_id = client.schedule_new_workflow("patchwork")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    client.raise_workflow_event(instance_id, "go", data=1)
    assert output_of(finished(instance_id)) == ["new", 1]


def test_a_patch_is_not_taken_by_an_instance_that_was_past_it(client, serve, finished, leave):
    old = serve(prepare=under_one_name(unpatched))
    instance_id = client.schedule_new_workflow("patchwork")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    leave(old)
    serve(prepare=under_one_name(patched))
    client.raise_workflow_event(instance_id, "go", data=1)
    assert output_of(finished(instance_id)) == ["old", 1]


def test_a_patch_that_is_gone_stalls_its_instances_until_it_is_back(client, serve, finished, leave):
    old = serve(prepare=under_one_name(patched))
    instance_id = client.schedule_new_workflow("patchwork")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    leave(old)
    new = serve(prepare=under_one_name(unpatched))
    client.raise_workflow_event(instance_id, "go", data=1)
    await_status(client, instance_id, WorkflowStatus.STALLED)
    leave(new)
    serve(prepare=under_one_name(patched))
    assert output_of(finished(instance_id)) == ["new", 1]
