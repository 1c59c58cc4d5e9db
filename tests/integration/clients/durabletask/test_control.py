import threading
from datetime import timedelta

import grpc
import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus

from tests.support.clients.inside import eventually

RUNNING, SUSPENDED, TERMINATED = (
    OrchestrationStatus.RUNNING,
    OrchestrationStatus.SUSPENDED,
    OrchestrationStatus.TERMINATED,
)


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def await_status(client, instance_id: str, status: OrchestrationStatus) -> None:
    eventually(
        lambda: client.get_orchestration_state(instance_id).runtime_status is status, f"{instance_id} {status.name}"
    )


def started(client, workflow, **options) -> str:
    instance_id = client.schedule_new_orchestration(workflow, **options)
    client.wait_for_orchestration_start(instance_id, timeout=30)
    return instance_id


def test_a_suspended_instance_waits_with_its_events(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.suspend_orchestration(instance_id)
    await_status(client, instance_id, SUSPENDED)
    client.raise_orchestration_event(instance_id, "release", data="kept")
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=0.5)
    client.resume_orchestration(instance_id)
    assert finished(instance_id).get_output() == "kept"


def test_a_timer_that_is_due_while_suspended_fires_after_the_resume(client, serve, finished):
    def sleeps(ctx: task.OrchestrationContext, _):
        yield ctx.create_timer(timedelta(milliseconds=300))
        return "woke"

    serve([sleeps])
    instance_id = started(client, sleeps)
    client.suspend_orchestration(instance_id)
    await_status(client, instance_id, SUSPENDED)
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=0.6)
    client.resume_orchestration(instance_id)
    assert finished(instance_id).get_output() == "woke"


def test_a_resumed_instance_is_running_again_and_both_may_come_twice(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    for _ in range(2):
        client.suspend_orchestration(instance_id)
    await_status(client, instance_id, SUSPENDED)
    for _ in range(2):
        client.resume_orchestration(instance_id)
    await_status(client, instance_id, RUNNING)
    client.raise_orchestration_event(instance_id, "release", data=1)
    assert finished(instance_id).get_output() == 1


def test_a_suspended_instance_can_be_terminated(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.suspend_orchestration(instance_id)
    await_status(client, instance_id, SUSPENDED)
    client.terminate_orchestration(instance_id, output="over")
    assert finished(instance_id, TERMINATED).get_output() == "over"


def test_termination_keeps_what_it_was_told(client, serve, finished):
    serve([held])
    instance_id = started(client, held)
    client.terminate_orchestration(instance_id, output={"by": "operator"})
    state = finished(instance_id, TERMINATED)
    assert state.get_output() == {"by": "operator"}
    assert state.failure_details is None


def test_a_pending_instance_is_terminated_without_a_worker(client, finished):
    instance_id = client.schedule_new_orchestration(held)
    client.terminate_orchestration(instance_id, output="never ran")
    assert finished(instance_id, TERMINATED).get_output() == "never ran"


def test_a_terminated_instance_forgets_its_activities(client, serve, finished):
    gate = threading.Event()

    def slow(_: task.ActivityContext, __):
        gate.wait(20)

    def waits(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(slow)

    serve([waits], [slow])
    instance_id = started(client, waits)
    client.terminate_orchestration(instance_id)
    finished(instance_id, TERMINATED)
    gate.set()
    assert finished(instance_id, TERMINATED).get_output() is None


def test_ended_and_unknown_instances_do_not_mind_a_termination(client, serve, finished, new_id):
    def ends(_: task.OrchestrationContext, __):
        return "ended"

    serve([ends])
    instance_id = client.schedule_new_orchestration(ends)
    finished(instance_id)
    client.terminate_orchestration(instance_id, output="too late")
    assert finished(instance_id).get_output() == "ended"


def test_suspending_and_resuming_an_ended_instance_changes_nothing(client, serve, finished):
    def ends(_: task.OrchestrationContext, __):
        return "ended"

    serve([ends])
    instance_id = client.schedule_new_orchestration(ends)
    finished(instance_id)
    client.suspend_orchestration(instance_id)
    client.resume_orchestration(instance_id)
    assert finished(instance_id).get_output() == "ended"


@pytest.mark.parametrize("method", ["suspend_orchestration", "resume_orchestration"])
def test_controlling_nobody_is_refused(client, new_id, method):
    with pytest.raises(grpc.RpcError) as error:
        getattr(client, method)(new_id())
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_custom_status_shows_while_it_runs_and_stays(client, serve, finished):
    def reports(ctx: task.OrchestrationContext, _):
        ctx.set_custom_status({"step": 1})
        yield ctx.wait_for_external_event("release")
        ctx.set_custom_status({"step": 2})
        return "done"

    serve([reports])
    instance_id = started(client, reports)
    assert "1" in client.get_orchestration_state(instance_id).serialized_custom_status
    client.raise_orchestration_event(instance_id, "release")
    assert finished(instance_id).get_custom_status() == {"step": 2}
