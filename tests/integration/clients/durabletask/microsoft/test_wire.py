"""What arrives on the wire, beyond what the client shows: ids of retries, trace context, pings, malformed bytes."""

from datetime import timedelta

import grpc
import pytest
from durabletask import history, task
from durabletask.entities import EntityInstanceId


def test_a_retry_keeps_its_action_id_and_every_attempt_is_in_the_history(client, serve, finished):
    calls: list[int] = []

    def flaky(ctx: task.ActivityContext, _):
        calls.append(ctx.task_id)
        if len(calls) < 3:
            raise RuntimeError("not yet")
        return "done"

    def patient(ctx: task.OrchestrationContext, _):
        policy = task.RetryPolicy(first_retry_interval=timedelta(milliseconds=10), max_number_of_attempts=5)
        return (yield ctx.call_activity(flaky, retry_policy=policy))

    serve([patient], [flaky])
    instance_id = client.schedule_new_orchestration(patient)
    finished(instance_id)
    assert calls == [1, 1, 1]
    events = client.get_orchestration_history(instance_id)
    assert sum(isinstance(event, history.TaskScheduledEvent) for event in events) == 3
    assert sum(isinstance(event, history.TaskFailedEvent) for event in events) == 2


def test_tags_reach_the_history(client, serve, finished):
    def works(_: task.ActivityContext, __):
        return 1

    def tagged(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_activity(works, tags={"cost": "centre"}))

    serve([tagged], [works])
    instance_id = client.schedule_new_orchestration(tagged, tags={"team": "blue"})
    finished(instance_id)
    events = client.get_orchestration_history(instance_id)
    [started] = [event for event in events if isinstance(event, history.ExecutionStartedEvent)]
    [scheduled] = [event for event in events if isinstance(event, history.TaskScheduledEvent)]
    assert started.tags == {"team": "blue"}
    assert scheduled.tags == {"cost": "centre"}


@pytest.mark.parametrize(
    "method",
    [
        "StartInstance",
        "GetInstance",
        "RaiseEvent",
        "TerminateInstance",
        "SuspendInstance",
        "QueryInstances",
        "PurgeInstances",
        "CompleteOrchestratorTask",
        "CompleteActivityTask",
        "RewindInstance",
        "RestartInstance",
        "ListInstanceIds",
        "ListInstanceIDs",
        "GetInstanceHistory",
        "RerunWorkflowFromEvent",
    ],
)
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x0a\x05abc", b"\x0b\x0b\x0b"])
def test_malformed_bytes_are_refused_by_name(sidecar, method, data):
    with grpc.insecure_channel(sidecar.grpc) as channel:
        call = channel.unary_unary(f"/TaskHubSidecarService/{method}", lambda raw: raw, lambda raw: raw)
        with pytest.raises(grpc.RpcError) as error:
            call(data, timeout=10)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.value.details()


def test_entities_are_not_served_yet_and_say_so(client):
    with pytest.raises(grpc.RpcError) as error:
        client.signal_entity(EntityInstanceId("counter", "one"), "add", input=1)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
