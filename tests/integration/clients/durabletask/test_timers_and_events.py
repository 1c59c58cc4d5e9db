from datetime import UTC, datetime, timedelta

import grpc
import pytest
from durabletask import task


def collects(ctx: task.OrchestrationContext, names: list[str]):
    found = []
    for name in names:
        found.append((yield ctx.wait_for_external_event(name)))
    return found


def test_a_timer_fires_at_its_time_and_not_before(client, serve, finished):
    def sleeps(ctx: task.OrchestrationContext, seconds: float):
        before = ctx.current_utc_datetime
        yield ctx.create_timer(timedelta(seconds=seconds))
        return (ctx.current_utc_datetime - before).total_seconds()

    serve([sleeps])
    slept = finished(client.schedule_new_orchestration(sleeps, input=1.0)).get_output()
    assert 1.0 <= slept < 5.0


def test_a_timer_whose_time_has_passed_fires_at_once(client, serve, finished):
    def looks_back(ctx: task.OrchestrationContext, _):
        yield ctx.create_timer(ctx.current_utc_datetime - timedelta(days=1))
        return "done"

    serve([looks_back])
    assert finished(client.schedule_new_orchestration(looks_back)).get_output() == "done"


def test_many_timers_fire_in_the_order_of_their_times(client, serve, finished):
    def keeps_order(ctx: task.OrchestrationContext, delays: list[int]):
        timers = [ctx.create_timer(timedelta(milliseconds=delay)) for delay in delays]
        pending, order = list(timers), []
        while pending:
            first = yield task.when_any(pending)
            pending.remove(first)
            order.append(delays[timers.index(first)])
        return order

    serve([keeps_order])
    delays = [900, 300, 600]
    assert finished(client.schedule_new_orchestration(keeps_order, input=delays)).get_output() == sorted(delays)


def test_events_come_in_the_order_they_were_sent(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_orchestration(collects, input=["n"] * 20)
    for number in range(1, 21):
        client.raise_orchestration_event(instance_id, "n", data=number)
    assert finished(instance_id).get_output() == list(range(1, 21))


def test_events_that_come_early_are_kept_by_name(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_orchestration(collects, input=["a", "b", "c"])
    for name in ("c", "b", "a"):
        client.raise_orchestration_event(instance_id, name, data=name.upper())
    assert finished(instance_id).get_output() == ["A", "B", "C"]


def test_events_before_the_first_turn_are_kept(client, serve, finished):
    instance_id = client.schedule_new_orchestration(collects, input=["a", "a"])
    client.raise_orchestration_event(instance_id, "a", data=1)
    client.raise_orchestration_event(instance_id, "a", data=2)
    serve([collects])
    assert finished(instance_id).get_output() == [1, 2]


def test_the_case_of_an_event_name_does_not_matter(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_orchestration(collects, input=["Approved"])
    client.raise_orchestration_event(instance_id, "APPROVED", data="yes")
    assert finished(instance_id).get_output() == ["yes"]


@pytest.mark.parametrize("arrives", [True, False])
def test_an_event_races_with_a_timer(client, serve, finished, arrives):
    def waits(ctx: task.OrchestrationContext, seconds: float):
        event = ctx.wait_for_external_event("approval")
        timeout = ctx.create_timer(timedelta(seconds=seconds))
        winner = yield task.when_any([event, timeout])
        return event.get_result() if winner is event else "timed out"

    serve([waits])
    instance_id = client.schedule_new_orchestration(waits, input=60 if arrives else 0.3)
    if arrives:
        client.raise_orchestration_event(instance_id, "approval", data="approved")
    assert finished(instance_id).get_output() == ("approved" if arrives else "timed out")


def test_an_event_without_data_is_none(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_orchestration(collects, input=["empty"])
    client.raise_orchestration_event(instance_id, "empty")
    assert finished(instance_id).get_output() == [None]


def test_an_event_for_an_ended_instance_is_swallowed(client, serve, finished):
    serve([collects])
    instance_id = client.schedule_new_orchestration(collects, input=[])
    finished(instance_id)
    client.raise_orchestration_event(instance_id, "late", data=1)
    assert finished(instance_id).get_output() == []


def test_an_event_for_nobody_is_refused(client, new_id):
    with pytest.raises(grpc.RpcError) as error:
        client.raise_orchestration_event(new_id(), "late", data=1)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_clock_of_a_workflow_stands_still_in_replay(client, serve, finished):
    seen: list[list[str]] = []

    def looks_at_the_clock(ctx: task.OrchestrationContext, _):
        times = [ctx.current_utc_datetime.isoformat()]
        for _ in range(3):
            yield ctx.create_timer(timedelta(milliseconds=20))
            times.append(ctx.current_utc_datetime.isoformat())
        seen.append(times)
        return times

    serve([looks_at_the_clock])
    times = finished(client.schedule_new_orchestration(looks_at_the_clock)).get_output()
    assert times == sorted(times) == seen[-1]
    assert datetime.fromisoformat(times[0]) <= datetime.now(UTC).replace(tzinfo=None)
