"""Listing, reading histories, purging, and running again from an event."""

import json
from datetime import timedelta

import grpc
import pytest
from dapr.ext.workflow import (
    DaprWorkflowContext,
    WorkflowActivityContext,
    WorkflowHistoryEventType,
    WorkflowStatus,
    when_all,
)

KIND = WorkflowHistoryEventType


def echo(_: DaprWorkflowContext, value):
    return value


def held(ctx: DaprWorkflowContext, _):
    return (yield ctx.wait_for_external_event("release"))


def double(_: WorkflowActivityContext, number: int) -> int:
    calls.append(number)
    return number * 2


def doubles(ctx: DaprWorkflowContext, number: int):
    for _ in range(3):
        number = yield ctx.call_activity(double, input=number)
    return number


calls: list[int] = []


def output_of(state):
    return json.loads(state.serialized_output)


def code(call, *args, **options) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        call(*args, **options)
    return error.value.code()


def test_all_instances_are_listed_page_by_page(client, serve, finished, new_id):
    serve([echo])
    ids = {client.schedule_new_workflow(echo, instance_id=new_id()) for _ in range(7)}
    for instance_id in ids:
        finished(instance_id)
    listed = list(client.iter_workflow_instance_ids(page_size=3))
    assert ids <= set(listed)
    assert len(listed) == len(set(listed))
    page = client.list_workflow_instance_ids(page_size=2)
    assert len(page.instance_ids) == 2
    assert page.continuation_token


def test_a_history_tells_what_happened_in_order(client, serve, finished):
    def story(ctx: DaprWorkflowContext, _):
        yield ctx.call_activity(double, input=1)
        yield ctx.create_timer(timedelta(milliseconds=10))
        return (yield ctx.wait_for_external_event("end", timeout=timedelta(minutes=5)))

    serve([story], [double])
    instance_id = client.schedule_new_workflow(story, input="in")
    client.raise_workflow_event(instance_id, "end", data="out")
    finished(instance_id)
    kinds = [event.event_type for event in client.get_workflow_history(instance_id)]
    for kind in (KIND.EXECUTION_STARTED, KIND.TASK_SCHEDULED, KIND.TASK_COMPLETED, KIND.TIMER_FIRED, KIND.EVENT_RAISED):
        assert kinds.count(kind) == 1, kind
    assert KIND.UNKNOWN not in kinds
    assert kinds[-1] is KIND.EXECUTION_COMPLETED


def test_the_history_of_nobody_is_refused(client, new_id):
    assert code(client.get_workflow_history, new_id()) is grpc.StatusCode.NOT_FOUND


def test_a_purge_takes_an_ended_instance_away_with_its_children(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, _):
        yield when_all([ctx.call_child_workflow(echo), ctx.call_child_workflow(echo)])

    serve([parent, echo])
    instance_id = client.schedule_new_workflow(parent)
    finished(instance_id)
    client.purge_workflow(instance_id)
    for gone in (instance_id, f"{instance_id}:0001", f"{instance_id}:0002"):
        assert client.get_workflow_state(gone) is None


def test_a_purge_of_one_leaves_its_children(client, serve, finished):
    def parent(ctx: DaprWorkflowContext, _):
        yield ctx.call_child_workflow(echo)

    serve([parent, echo])
    instance_id = client.schedule_new_workflow(parent)
    finished(instance_id)
    client.purge_workflow(instance_id, recursive=False)
    assert client.get_workflow_state(instance_id) is None
    assert client.get_workflow_state(f"{instance_id}:0001") is not None


def test_a_purge_leaves_a_running_instance_alone(client, serve, finished):
    serve([held])
    instance_id = client.schedule_new_workflow(held)
    client.wait_for_workflow_start(instance_id, timeout_in_seconds=30)
    client.purge_workflow(instance_id)
    client.raise_workflow_event(instance_id, "release", data="alive")
    assert output_of(finished(instance_id)) == "alive"


def test_a_rerun_repeats_from_an_activity_and_leaves_the_source(client, serve, finished, new_id):
    serve([doubles], [double])
    source = client.schedule_new_workflow(doubles, input=1)
    finished(source)
    scheduled = [event for event in client.get_workflow_history(source) if event.is_rerunnable]
    calls.clear()
    target = client.rerun_workflow_from_event(source, scheduled[1].event_id, new_instance_id=new_id())
    assert output_of(finished(target)) == 8
    assert calls == [2, 4]
    assert output_of(finished(source)) == 8


def test_a_rerun_takes_another_input_for_its_first_event(client, serve, finished):
    serve([doubles], [double])
    source = client.schedule_new_workflow(doubles, input=1)
    finished(source)
    last = [event for event in client.get_workflow_history(source) if event.is_rerunnable][-1]
    target = client.rerun_workflow_from_event(source, last.event_id, input=100)
    assert output_of(finished(target)) == 200


def test_a_rerun_from_a_timer_waits_again(client, serve, finished):
    def sleeps(ctx: DaprWorkflowContext, number: int):
        yield ctx.create_timer(timedelta(milliseconds=50))
        return (yield ctx.call_activity(double, input=number))

    serve([sleeps], [double])
    source = client.schedule_new_workflow(sleeps, input=4)
    finished(source)
    timer = next(event for event in client.get_workflow_history(source) if event.event_type is KIND.TIMER_CREATED)
    assert output_of(finished(client.rerun_workflow_from_event(source, timer.event_id))) == 8
    assert code(client.rerun_workflow_from_event, source, timer.event_id, input=1) is grpc.StatusCode.INVALID_ARGUMENT


def test_a_rerun_from_a_child_gives_it_a_new_id(client, serve, finished, new_id):
    def parent(ctx: DaprWorkflowContext, number: int):
        return (yield ctx.call_child_workflow(doubles, input=number))

    serve([parent, doubles], [double])
    source = client.schedule_new_workflow(parent, input=1)
    finished(source)
    created = next(event for event in client.get_workflow_history(source) if event.is_rerunnable)
    child_id = new_id()
    target = client.rerun_workflow_from_event(source, created.event_id, new_child_workflow_instance_id=child_id)
    assert output_of(finished(target)) == 8
    assert output_of(finished(child_id)) == 8


def test_a_rerun_is_refused_where_it_makes_no_sense(client, serve, finished, new_id):
    serve([held, doubles], [double])
    source, running = client.schedule_new_workflow(doubles, input=1), client.schedule_new_workflow(held)
    finished(source)
    client.wait_for_workflow_start(running, timeout_in_seconds=30)
    rerun = client.rerun_workflow_from_event
    assert code(rerun, new_id(), 1) is grpc.StatusCode.NOT_FOUND
    assert code(rerun, source, 4000) is grpc.StatusCode.NOT_FOUND
    assert code(rerun, running, 1) is grpc.StatusCode.INVALID_ARGUMENT
    assert code(rerun, source, 1, new_instance_id=running) is grpc.StatusCode.ALREADY_EXISTS
    client.terminate_workflow(running)


def test_a_failed_instance_can_be_rerun(client, serve, finished):
    fixed: list[bool] = []

    def breaks(_: WorkflowActivityContext, number: int) -> int:
        if not fixed:
            raise RuntimeError("broken")
        return number

    def tries(ctx: DaprWorkflowContext, number: int):
        return (yield ctx.call_activity(breaks, input=number))

    serve([tries], [breaks])
    source = client.schedule_new_workflow(tries, input=5)
    finished(source, WorkflowStatus.FAILED)
    fixed.append(True)
    scheduled = next(event for event in client.get_workflow_history(source) if event.is_rerunnable)
    assert output_of(finished(client.rerun_workflow_from_event(source, scheduled.event_id))) == 5
