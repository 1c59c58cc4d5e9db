import json
from datetime import timedelta

import grpc
import pytest
from dapr.ext.workflow import DaprWorkflowContext, WorkflowStatus

from tests.support.clients.inside import eventually

RUNNING, SUSPENDED, TERMINATED = WorkflowStatus.RUNNING, WorkflowStatus.SUSPENDED, WorkflowStatus.TERMINATED


def held(ctx: DaprWorkflowContext, _):
    return (yield ctx.wait_for_external_event("release"))


def output_of(state):
    return json.loads(state.serialized_output)


def await_status(client, instance_id: str, status: WorkflowStatus) -> None:
    eventually(lambda: client.get_workflow_state(instance_id).runtime_status is status, f"{instance_id} {status.name}")


def started(client, workflow, **options) -> str:
    instance_id = client.schedule_new_workflow(workflow, **options)
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    return instance_id


def test_a_paused_instance_waits_with_its_events(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.pause_workflow(instance_id)
    await_status(client, instance_id, SUSPENDED)
    client.raise_workflow_event(instance_id, "release", data="kept")
    with pytest.raises(TimeoutError):
        client.wait_for_workflow_completion(instance_id, timeout_in_seconds=1)
    client.resume_workflow(instance_id)
    assert output_of(finished(instance_id)) == "kept"


def test_a_timer_that_is_due_while_paused_fires_after_the_resume(client, serve, finished):
    def sleeps(ctx: DaprWorkflowContext, _):
        yield ctx.create_timer(timedelta(milliseconds=300))
        return "woke"

    serve([sleeps])
    instance_id = started(client, sleeps)
    client.pause_workflow(instance_id)
    await_status(client, instance_id, SUSPENDED)
    with pytest.raises(TimeoutError):
        client.wait_for_workflow_completion(instance_id, timeout_in_seconds=1)
    client.resume_workflow(instance_id)
    assert output_of(finished(instance_id)) == "woke"


def test_a_resumed_instance_is_running_again(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.pause_workflow(instance_id)
    await_status(client, instance_id, SUSPENDED)
    client.resume_workflow(instance_id)
    await_status(client, instance_id, RUNNING)
    client.raise_workflow_event(instance_id, "release", data=1)
    assert output_of(finished(instance_id)) == 1


def test_a_paused_instance_can_be_terminated(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.pause_workflow(instance_id)
    await_status(client, instance_id, SUSPENDED)
    client.terminate_workflow(instance_id, output="over")
    assert output_of(finished(instance_id, TERMINATED)) == "over"


def test_a_pending_instance_is_terminated_without_a_worker(client, finished):
    instance_id = client.schedule_new_workflow(held)
    client.terminate_workflow(instance_id, output="never ran")
    assert output_of(finished(instance_id, TERMINATED)) == "never ran"


@pytest.mark.parametrize("method", ["pause_workflow", "resume_workflow"])
def test_controlling_nobody_is_refused(client, new_id, method):
    with pytest.raises(grpc.RpcError) as error:
        getattr(client, method)(new_id())
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_custom_status_shows_while_it_runs_and_stays(client, serve, finished):
    def reports(ctx: DaprWorkflowContext, _):
        ctx.set_custom_status("one")
        yield ctx.wait_for_external_event("release")
        ctx.set_custom_status("two")
        return "done"

    serve([reports])
    instance_id = started(client, reports)
    assert "one" in client.get_workflow_state(instance_id).serialized_custom_status
    client.raise_workflow_event(instance_id, "release")
    assert "two" in finished(instance_id).serialized_custom_status


def test_a_failed_workflow_says_why(client, serve, finished):
    def fails(_: DaprWorkflowContext, __):
        raise ValueError("the failure")

    serve([fails])
    details = finished(client.schedule_new_workflow(fails), WorkflowStatus.FAILED).failure_details
    assert details.error_type == "ValueError"
    assert details.message.endswith("the failure")
    assert "fails" in details.stack_trace


def test_a_workflow_continues_as_new_many_times(client, serve, finished):
    def counts(ctx: DaprWorkflowContext, number: int):
        yield ctx.create_timer(timedelta(milliseconds=1))
        if number < 25:
            ctx.continue_as_new(number + 1)
            return None
        return number

    serve([counts])
    assert output_of(finished(client.schedule_new_workflow(counts, input=0))) == 25


def test_unread_events_are_carried_over_when_asked(client, serve, finished):
    def adds_up(ctx: DaprWorkflowContext, total: int):
        value = yield ctx.wait_for_external_event("value")
        if value is None:
            return total
        ctx.continue_as_new(total + value, save_events=True)

    serve([adds_up])
    instance_id = client.schedule_new_workflow(adds_up, input=0)
    for number in range(1, 31):
        client.raise_workflow_event(instance_id, "value", data=number)
    client.raise_workflow_event(instance_id, "value")
    assert output_of(finished(instance_id)) == sum(range(1, 31))


def test_a_timer_of_an_old_generation_is_void(client, serve, finished):
    def outlives(ctx: DaprWorkflowContext, generation: int):
        if generation == 1:
            ctx.create_timer(timedelta(milliseconds=300))
            yield ctx.create_timer(timedelta(milliseconds=10))
            ctx.continue_as_new(2)
            return None
        before = ctx.current_utc_datetime
        yield ctx.create_timer(timedelta(seconds=1))
        return (ctx.current_utc_datetime - before).total_seconds()

    serve([outlives])
    assert output_of(finished(client.schedule_new_workflow(outlives, input=1))) >= 1.0
