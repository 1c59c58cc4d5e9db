"""Restart and rewind."""

import grpc
import pytest
from durabletask import history, task
from durabletask.client import OrchestrationStatus

FAILED = OrchestrationStatus.FAILED


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def code(call, *args, **options) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        call(*args, **options)
    return error.value.code()


def test_a_restart_runs_the_same_input_again_under_the_same_id(client, serve, finished):
    runs = []

    def counts(_: task.OrchestrationContext, value):
        runs.append(value)
        return len(runs)

    serve([counts])
    instance_id = client.schedule_new_orchestration(counts, input="same", tags={"k": "v"})
    assert finished(instance_id).get_output() == 1
    assert client.restart_orchestration(instance_id) == instance_id
    assert finished(instance_id).get_output() == 2
    assert runs == ["same", "same"]


def test_a_restart_under_a_new_id_leaves_the_old_one(client, serve, finished):
    serve([echo])
    instance_id = client.schedule_new_orchestration(echo, input="copy me")
    finished(instance_id)
    copy = client.restart_orchestration(instance_id, restart_with_new_instance_id=True)
    assert copy != instance_id
    assert finished(copy).get_output() == finished(instance_id).get_output() == "copy me"


def test_a_restart_is_refused_for_the_unknown_and_the_running(client, serve, new_id):
    serve([held])
    running = client.schedule_new_orchestration(held)
    client.wait_for_orchestration_start(running)
    assert code(client.restart_orchestration, new_id()) is grpc.StatusCode.NOT_FOUND
    assert code(client.restart_orchestration, running) is grpc.StatusCode.FAILED_PRECONDITION
    client.terminate_orchestration(running)


def test_a_rewind_repeats_only_what_failed(client, serve, finished):
    calls: list[str] = []
    fixed: list[bool] = []

    def works(_: task.ActivityContext, name: str):
        calls.append(name)
        return name

    def breaks(_: task.ActivityContext, name: str):
        calls.append(name)
        if not fixed:
            raise RuntimeError("broken")
        return name

    def repairs(ctx: task.OrchestrationContext, _):
        first = yield ctx.call_activity(works, input="first")
        second = yield ctx.call_activity(breaks, input="second")
        third = yield ctx.call_activity(works, input="third")
        return [first, second, third]

    serve([repairs], [works, breaks])
    instance_id = client.schedule_new_orchestration(repairs)
    finished(instance_id, FAILED)
    fixed.append(True)
    client.rewind_orchestration(instance_id, reason="fixed")
    assert finished(instance_id).get_output() == ["first", "second", "third"]
    assert calls == ["first", "second", "second", "third"]
    events = client.get_orchestration_history(instance_id)
    assert [type(event) for event in events].count(history.ExecutionCompletedEvent) == 1


def test_a_rewind_may_fail_again_and_be_rewound_again(client, serve, finished):
    calls: list[int] = []

    def third_time(_: task.ActivityContext, __):
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError(f"attempt {len(calls)}")
        return len(calls)

    def tries(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_activity(third_time))

    serve([tries], [third_time])
    instance_id = client.schedule_new_orchestration(tries)
    for _ in range(2):
        finished(instance_id, FAILED)
        client.rewind_orchestration(instance_id)
    assert finished(instance_id).get_output() == 3


def test_a_rewind_reaches_a_failed_child(client, serve, finished):
    fixed: list[bool] = []

    def breaks(_: task.ActivityContext, __):
        if not fixed:
            raise RuntimeError("broken")
        return "mended"

    def child(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_activity(breaks))

    def parent(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_sub_orchestrator(child))

    serve([parent, child], [breaks])
    instance_id = client.schedule_new_orchestration(parent)
    finished(instance_id, FAILED)
    fixed.append(True)
    client.rewind_orchestration(instance_id)
    assert finished(instance_id).get_output() == "mended"
    assert finished(f"{instance_id}:0001").get_output() == "mended"


def test_a_rewind_is_refused_for_the_unknown_and_for_what_did_not_fail(client, serve, finished, new_id):
    serve([echo, held])
    ended, running = client.schedule_new_orchestration(echo), client.schedule_new_orchestration(held)
    finished(ended)
    client.wait_for_orchestration_start(running)
    assert code(client.rewind_orchestration, new_id()) is grpc.StatusCode.NOT_FOUND
    assert code(client.rewind_orchestration, ended) is grpc.StatusCode.FAILED_PRECONDITION
    assert code(client.rewind_orchestration, running) is grpc.StatusCode.FAILED_PRECONDITION
    client.terminate_orchestration(running)
