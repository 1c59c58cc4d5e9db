from datetime import UTC, datetime, timedelta

import grpc
import pytest
from durabletask import task
from durabletask.client import OrchestrationStatus


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def code_of(error: pytest.ExceptionInfo[grpc.RpcError]) -> grpc.StatusCode:
    return error.value.code()


@pytest.mark.parametrize("value", [None, "", "text", "Ünïcödé \u2603 \U0001f680", 0, 1.5, [1, [2]], {"a": {"b": None}}])
def test_an_input_comes_back_as_it_was(client, serve, finished, value):
    serve([echo])
    state = finished(client.schedule_new_orchestration(echo, input=value))
    assert state.get_output() == value
    assert state.get_input() == value


def test_an_instance_runs_under_the_id_it_was_given(client, serve, finished, new_id):
    serve([echo])
    given = f"order {new_id()} / ü"
    assert client.schedule_new_orchestration(echo, instance_id=given, input=1) == given
    state = finished(given)
    assert (state.instance_id, state.name, state.get_output()) == (given, "echo", 1)


def test_payloads_are_left_out_when_not_asked_for(client, serve, finished):
    serve([echo])
    instance_id = client.schedule_new_orchestration(echo, input="in")
    finished(instance_id)
    state = client.get_orchestration_state(instance_id, fetch_payloads=False)
    assert state is not None
    assert (state.serialized_input, state.serialized_output) == (None, None)


def test_a_workflow_that_no_worker_knows_fails_and_says_so(client, serve, finished):
    serve([echo])
    state = finished(client.schedule_new_orchestration("nobody_knows_me"), OrchestrationStatus.FAILED)
    assert "nobody_knows_me" in state.failure_details.message


def test_what_is_unknown_is_none(client, new_id):
    assert client.get_orchestration_state(new_id()) is None
    assert client.wait_for_orchestration_start(new_id(), timeout=5) is None
    assert client.wait_for_orchestration_completion(new_id(), timeout=5) is None


def test_without_a_worker_an_instance_is_pending_and_waits_time_out(client, serve, finished):
    instance_id = client.schedule_new_orchestration(echo, input=7)
    assert client.get_orchestration_state(instance_id).runtime_status is OrchestrationStatus.PENDING
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_start(instance_id, timeout=0.3)
    with pytest.raises(TimeoutError):
        client.wait_for_orchestration_completion(instance_id, timeout=0.3)
    serve([echo])
    assert finished(instance_id).get_output() == 7


def test_a_running_instance_keeps_its_id(client, serve, finished, new_id):
    serve([held, echo])
    instance_id = client.schedule_new_orchestration(held, instance_id=new_id())
    client.wait_for_orchestration_start(instance_id)
    with pytest.raises(grpc.RpcError) as error:
        client.schedule_new_orchestration(echo, instance_id=instance_id)
    assert code_of(error) is grpc.StatusCode.ALREADY_EXISTS
    client.raise_orchestration_event(instance_id, "release", data="still the first")
    assert finished(instance_id).get_output() == "still the first"


def test_a_scheduled_start_is_pending_until_its_time(client, serve, finished):
    serve([echo])
    due = datetime.now(UTC) + timedelta(seconds=1.5)
    instance_id = client.schedule_new_orchestration(echo, start_at=due, input="late")
    assert client.get_orchestration_state(instance_id).runtime_status is OrchestrationStatus.PENDING
    finished(instance_id)
    assert datetime.now(UTC) >= due


def test_a_start_time_in_the_past_is_now(client, serve, finished):
    serve([echo])
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert finished(client.schedule_new_orchestration(echo, start_at=yesterday, input=1)).get_output() == 1


def test_a_burst_of_starts_loses_none(client, serve, finished):
    serve([echo])
    ids = [client.schedule_new_orchestration(echo, input=number) for number in range(200)]
    assert [finished(instance_id).get_output() for instance_id in ids] == list(range(200))


@pytest.mark.parametrize("bad", ["x" * 5000, "with\x00zero"])
def test_an_id_that_cannot_be_is_refused_by_name(client, bad):
    with pytest.raises(grpc.RpcError) as error:
        client.schedule_new_orchestration(echo, instance_id=bad)
    assert code_of(error) is grpc.StatusCode.INVALID_ARGUMENT
    assert "instance id" in error.value.details()
