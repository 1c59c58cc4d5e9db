import json
from datetime import timedelta

from dapr.ext.workflow import DaprWorkflowContext, RetryPolicy, TaskFailedError, WorkflowStatus, when_all

from tests.support.clients.inside import eventually


def echo(_: DaprWorkflowContext, value):
    return value


def held(ctx: DaprWorkflowContext, _):
    return (yield ctx.wait_for_external_event("release"))


def fails(_: DaprWorkflowContext, text: str):
    raise ValueError(text)


def output_of(state):
    return json.loads(state.serialized_output)


def await_start(client, instance_id: str) -> None:
    eventually(lambda: client.get_workflow_state(instance_id), f"instance {instance_id}")
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)


def test_a_child_gets_an_id_from_its_parent_and_answers_it(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, value):
        return (yield ctx.call_child_workflow(echo, input=value))

    serve([parent, echo])
    instance_id = client.schedule_new_workflow(parent, input={"deep": [1]})
    assert output_of(finished(instance_id)) == {"deep": [1]}
    assert output_of(finished(f"{instance_id}:0001")) == {"deep": [1]}


def test_a_child_runs_under_the_id_it_was_given(client, serve, finished, new_id):
    def child(ctx: DaprWorkflowContext, _):
        return ctx.instance_id

    def parent(ctx: DaprWorkflowContext, child_id: str):
        return (yield ctx.call_child_workflow(child, instance_id=child_id))

    serve([parent, child])
    child_id = new_id()
    assert output_of(finished(client.schedule_new_workflow(parent, input=child_id))) == child_id


def test_a_fan_out_of_children_gathers_them_all(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, width: int):
        return (yield when_all([ctx.call_child_workflow(echo, input=number) for number in range(width)]))

    serve([parent, echo])
    assert output_of(finished(client.schedule_new_workflow(parent, input=40))) == list(range(40))


def test_the_failure_of_a_child_reaches_the_parent(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, _):
        try:
            yield ctx.call_child_workflow(fails, input="from below")
        except TaskFailedError as error:
            return [error.details.error_type, error.details.message]

    serve([parent, fails])
    kind, message = output_of(finished(client.schedule_new_workflow(parent)))
    assert "ValueError" in kind
    assert "from below" in message


def test_a_failed_child_is_tried_again_under_its_id(client, serve, finished):
    tries = []

    def flaky(ctx: DaprWorkflowContext, _):
        if not ctx.is_replaying:
            tries.append(ctx.instance_id)
        if len(tries) < 3:
            raise RuntimeError("not yet")
        return len(tries)

    def parent(ctx: DaprWorkflowContext, _):
        policy = RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=5)
        return (yield ctx.call_child_workflow(flaky, retry_policy=policy))

    serve([parent, flaky])
    instance_id = client.schedule_new_workflow(parent)
    assert output_of(finished(instance_id)) == 3
    assert tries == [f"{instance_id}:0001"] * 3


def test_terminating_a_parent_takes_its_descendants_along(client, serve, finished):
    def middle(ctx: DaprWorkflowContext, _):
        yield ctx.call_child_workflow(held)

    def top(ctx: DaprWorkflowContext, _):
        yield when_all([ctx.call_child_workflow(middle), ctx.call_child_workflow(middle)])

    serve([top, middle, held])
    instance_id = client.schedule_new_workflow(top)
    for descendant in ("0001:0001", "0002:0001"):
        await_start(client, f"{instance_id}:{descendant}")
    client.terminate_workflow(instance_id, output="enough")
    assert output_of(finished(instance_id, WorkflowStatus.TERMINATED)) == "enough"
    for descendant in ("0001", "0002", "0001:0001", "0002:0001"):
        finished(f"{instance_id}:{descendant}", WorkflowStatus.TERMINATED)


def test_terminating_only_the_parent_lets_a_child_live(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, _):
        yield ctx.call_child_workflow(held)

    serve([parent, held])
    instance_id = client.schedule_new_workflow(parent)
    await_start(client, f"{instance_id}:0001")
    client.terminate_workflow(instance_id, recursive=False)
    finished(instance_id, WorkflowStatus.TERMINATED)
    client.raise_workflow_event(f"{instance_id}:0001", "release", data="alive")
    assert output_of(finished(f"{instance_id}:0001")) == "alive"


def test_a_terminated_child_fails_the_call_of_its_parent(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, _):
        try:
            yield ctx.call_child_workflow(held)
        except TaskFailedError as error:
            return f"caught: {error.details.message}"

    serve([parent, held])
    instance_id = client.schedule_new_workflow(parent)
    await_start(client, f"{instance_id}:0001")
    client.terminate_workflow(f"{instance_id}:0001")
    assert output_of(finished(instance_id)).startswith("caught")
