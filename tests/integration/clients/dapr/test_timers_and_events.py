import json
from datetime import timedelta

import grpc
import pytest
from dapr.ext.workflow import DaprWorkflowContext, when_any


def collects(ctx: DaprWorkflowContext, names: list):
    found = []
    for name in names:
        found.append((yield ctx.wait_for_external_event(name)))
    return found


def output_of(state):
    return json.loads(state.serialized_output)


def test_a_timer_fires_at_its_time_and_not_before(client, serve, finished):
    def sleeps(ctx: DaprWorkflowContext, seconds: float):
        before = ctx.current_utc_datetime
        yield ctx.create_timer(timedelta(seconds=seconds))
        return (ctx.current_utc_datetime - before).total_seconds()

    serve([sleeps])
    assert 1.0 <= output_of(finished(client.schedule_new_workflow(sleeps, input=1.0))) < 5.0


def test_a_timer_whose_time_has_passed_fires_at_once(client, serve, finished):
    def looks_back(ctx: DaprWorkflowContext, _):
        yield ctx.create_timer(ctx.current_utc_datetime - timedelta(days=1))
        return "done"

    serve([looks_back])
    assert output_of(finished(client.schedule_new_workflow(looks_back))) == "done"


def test_events_come_in_the_order_they_were_sent(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_workflow(collects, input=["n"] * 20)
    for number in range(1, 21):
        client.raise_workflow_event(instance_id, "n", data=number)
    assert output_of(finished(instance_id)) == list(range(1, 21))


def test_events_that_come_early_are_kept_by_name(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_workflow(collects, input=["a", "b", "c"])
    for name in ("c", "b", "a"):
        client.raise_workflow_event(instance_id, name, data=name.upper())
    assert output_of(finished(instance_id)) == ["A", "B", "C"]


def test_events_before_the_first_turn_are_kept(client, serve, finished):
    instance_id = client.schedule_new_workflow(collects, input=["a", "a"])
    client.raise_workflow_event(instance_id, "a", data=1)
    client.raise_workflow_event(instance_id, "a", data=2)
    serve([collects])
    assert output_of(finished(instance_id)) == [1, 2]


def test_the_case_of_an_event_name_does_not_matter(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_workflow(collects, input=["Approved"])
    client.raise_workflow_event(instance_id, "APPROVED", data="yes")
    assert output_of(finished(instance_id)) == ["yes"]


@pytest.mark.parametrize("arrives", [True, False])
def test_an_event_races_with_a_timer(client, serve, finished, arrives):
    def waits(ctx: DaprWorkflowContext, seconds: float):
        event = ctx.wait_for_external_event("approval")
        timeout = ctx.create_timer(timedelta(seconds=seconds))
        winner = yield when_any([event, timeout])
        return event.get_result() if winner is event else "timed out"

    serve([waits])
    instance_id = client.schedule_new_workflow(waits, input=60 if arrives else 0.3)
    if arrives:
        client.raise_workflow_event(instance_id, "approval", data="approved")
    assert output_of(finished(instance_id)) == ("approved" if arrives else "timed out")


@pytest.mark.parametrize("arrives", [True, False])
def test_a_wait_has_a_timeout_of_its_own(client, serve, finished, arrives):
    def waits(ctx: DaprWorkflowContext, seconds: float):
        try:
            return (yield ctx.wait_for_external_event("approval", timeout=timedelta(seconds=seconds)))
        except TimeoutError:
            return "timed out"

    serve([waits])
    instance_id = client.schedule_new_workflow(waits, input=60 if arrives else 0.3)
    if arrives:
        client.raise_workflow_event(instance_id, "approval", data="approved")
    assert output_of(finished(instance_id)) == ("approved" if arrives else "timed out")


def test_an_event_without_data_is_none(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_workflow(collects, input=["empty"])
    client.raise_workflow_event(instance_id, "empty")
    assert output_of(finished(instance_id)) == [None]


def test_an_event_for_an_ended_instance_is_swallowed(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_workflow(collects, input=[])
    finished(instance_id)
    client.raise_workflow_event(instance_id, "late", data=1)
    assert output_of(finished(instance_id)) == []


def test_an_event_for_nobody_is_refused(client, new_id):
    with pytest.raises(grpc.RpcError) as error:
        client.raise_workflow_event(new_id(), "late", data=1)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert "no such instance exists" in error.value.details()
