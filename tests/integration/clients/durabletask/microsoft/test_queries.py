"""Looking for instances, reading their histories, and purging them."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from durabletask import history, task
from durabletask.client import OrchestrationQuery, OrchestrationStatus
from durabletask.internal import orchestrator_service_pb2 as pb

COMPLETED, FAILED, RUNNING, TERMINATED = (
    OrchestrationStatus.COMPLETED,
    OrchestrationStatus.FAILED,
    OrchestrationStatus.RUNNING,
    OrchestrationStatus.TERMINATED,
)


def echo(_: task.OrchestrationContext, value):
    return value


def held(ctx: task.OrchestrationContext, _):
    return (yield ctx.wait_for_external_event("release"))


def fails(_: task.OrchestrationContext, __):
    raise ValueError("on purpose")


@pytest.fixture
def family(client, serve, finished, new_id):
    """Ids with one prefix: three completed, one failed, one running."""
    serve([echo, held, fails])
    prefix = new_id()
    for number in range(3):
        client.schedule_new_orchestration(echo, instance_id=f"{prefix}-{number}", input=number)
    client.schedule_new_orchestration(fails, instance_id=f"{prefix}-failed")
    client.schedule_new_orchestration(held, instance_id=f"{prefix}-running")
    for number in range(3):
        finished(f"{prefix}-{number}")
    finished(f"{prefix}-failed", FAILED)
    client.wait_for_orchestration_start(f"{prefix}-running")
    yield prefix
    client.terminate_orchestration(f"{prefix}-running")


def found(client, **query) -> set[str]:
    states = client.get_all_orchestration_states(OrchestrationQuery(**query))
    assert len(states) == len({state.instance_id for state in states})
    return {state.instance_id for state in states}


def test_a_query_finds_by_prefix_and_status(client, family):
    everyone = {f"{family}-{name}" for name in (0, 1, 2, "failed", "running")}
    assert found(client, instance_id_prefix=family) == everyone
    assert found(client, instance_id_prefix=family, runtime_status=[FAILED]) == {f"{family}-failed"}
    assert found(client, instance_id_prefix=family, runtime_status=[FAILED, RUNNING]) == {
        f"{family}-failed",
        f"{family}-running",
    }
    assert found(client, instance_id_prefix=f"{family}-no") == set()


@pytest.mark.parametrize("page", [1, 2, 3, 100])
def test_pages_of_any_size_give_the_same_whole(client, family, page):
    assert len(found(client, instance_id_prefix=family, max_instance_count=page)) == 5


def test_a_query_by_time_takes_the_start_in_and_leaves_the_end_out(client, family):
    states = client.get_all_orchestration_states(OrchestrationQuery(instance_id_prefix=family))
    times = sorted(state.created_at.replace(tzinfo=UTC) for state in states)
    before, after = times[0] - timedelta(minutes=1), times[-1] + timedelta(minutes=1)
    assert len(found(client, instance_id_prefix=family, created_time_from=before, created_time_to=after)) == 5
    assert found(client, instance_id_prefix=family, created_time_from=after) == set()
    assert found(client, instance_id_prefix=family, created_time_to=before) == set()
    assert len(found(client, instance_id_prefix=family, created_time_from=times[0])) == 5


def test_payloads_come_along_when_asked_for(client, family):
    query = OrchestrationQuery(instance_id_prefix=f"{family}-1", fetch_inputs_and_outputs=True)
    [state] = client.get_all_orchestration_states(query)
    assert (state.get_input(), state.get_output()) == (1, 1)
    [bare] = client.get_all_orchestration_states(OrchestrationQuery(instance_id_prefix=f"{family}-1"))
    assert (bare.serialized_input, bare.serialized_output) == (None, None)


def test_ended_instances_are_listed_page_by_page(client, family):
    listed: list[str] = []
    token = None
    while True:
        page = client.list_instance_ids(page_size=2, continuation_token=token)
        assert len(page.items) <= 2
        listed += page.items
        token = page.continuation_token
        if not token:
            break
    own = [instance_id for instance_id in listed if instance_id.startswith(family)]
    assert sorted(own) == sorted(f"{family}-{name}" for name in (0, 1, 2, "failed"))


def test_ended_instances_are_listed_by_status_and_time(client, family):
    failed = client.list_instance_ids(runtime_status=[FAILED], page_size=1000).items
    assert f"{family}-failed" in failed
    assert f"{family}-0" not in failed
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert client.list_instance_ids(completed_time_from=later).items == []


def test_a_history_tells_what_happened_in_order(client, serve, finished):
    def plus_one(_: task.ActivityContext, number: int):
        return number + 1

    def story(ctx: task.OrchestrationContext, _):
        yield ctx.call_activity(plus_one, input=1)
        yield ctx.create_timer(timedelta(milliseconds=10))
        return (yield ctx.wait_for_external_event("end"))

    serve([story], [plus_one])
    instance_id = client.schedule_new_orchestration(story, input="in")
    client.raise_orchestration_event(instance_id, "end", data="out")
    finished(instance_id)
    events = client.get_orchestration_history(instance_id)
    kinds = [type(event) for event in events]
    for kind in (
        history.ExecutionStartedEvent,
        history.TaskScheduledEvent,
        history.TaskCompletedEvent,
        history.TimerCreatedEvent,
        history.TimerFiredEvent,
        history.EventRaisedEvent,
        history.ExecutionCompletedEvent,
    ):
        assert kinds.count(kind) == 1, kind
    assert kinds.index(history.TaskScheduledEvent) < kinds.index(history.TaskCompletedEvent)
    assert kinds.index(history.TimerCreatedEvent) < kinds.index(history.TimerFiredEvent)
    assert kinds[-1] is history.ExecutionCompletedEvent


def test_a_long_history_comes_in_pieces_and_whole(client, serve, finished):
    def plus_one(_: task.ActivityContext, number: int):
        return number + 1

    def wide(ctx: task.OrchestrationContext, width: int):
        yield task.when_all([ctx.call_activity(plus_one, input=number) for number in range(width)])

    serve([wide], [plus_one])
    instance_id = client.schedule_new_orchestration(wide, input=700)
    finished(instance_id)
    events = client.get_orchestration_history(instance_id)
    assert sum(isinstance(event, history.TaskCompletedEvent) for event in events) == 700


def test_the_history_of_nobody_is_refused(client, new_id):
    with pytest.raises(grpc.RpcError) as error:
        client.get_orchestration_history(new_id())
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_purge_takes_an_ended_instance_away(client, serve, finished, new_id):
    serve([echo])
    instance_id = client.schedule_new_orchestration(echo)
    finished(instance_id)
    assert client.purge_orchestration(instance_id).deleted_instance_count == 1
    assert client.get_orchestration_state(instance_id) is None
    assert client.purge_orchestration(instance_id).deleted_instance_count == 0
    assert client.purge_orchestration(new_id()).deleted_instance_count == 0


def test_a_purge_leaves_a_running_instance_alone(client, serve, finished):
    serve([held])
    instance_id = client.schedule_new_orchestration(held)
    client.wait_for_orchestration_start(instance_id)
    assert client.purge_orchestration(instance_id).deleted_instance_count == 0
    client.raise_orchestration_event(instance_id, "release", data="alive")
    assert finished(instance_id).get_output() == "alive"


@pytest.mark.parametrize("recursive", [True, False])
def test_a_purge_takes_children_along_when_asked(client, serve, finished, recursive):
    def middle(ctx: task.OrchestrationContext, _):
        yield ctx.call_sub_orchestrator(echo)

    def top(ctx: task.OrchestrationContext, _):
        yield task.when_all([ctx.call_sub_orchestrator(middle), ctx.call_sub_orchestrator(middle)])

    serve([top, middle, echo])
    instance_id = client.schedule_new_orchestration(top)
    finished(instance_id)
    purged = client.purge_orchestration(instance_id, recursive=recursive)
    assert purged.deleted_instance_count == (5 if recursive else 1)
    assert (client.get_orchestration_state(f"{instance_id}:0001:0001") is None) is recursive


def test_a_purge_by_filter_takes_only_what_it_means(client, family):
    query = OrchestrationQuery(instance_id_prefix=f"{family}-failed")
    [failed] = client.get_all_orchestration_states(query)
    created = failed.created_at.replace(tzinfo=UTC)
    purged = client.purge_orchestrations_by(
        created_time_from=created,
        created_time_to=created + timedelta(microseconds=1),
        runtime_status=[FAILED],
        timeout=timedelta(seconds=20),
    )
    assert (purged.deleted_instance_count, purged.is_complete) == (1, True)
    assert found(client, instance_id_prefix=family) == {f"{family}-{name}" for name in (0, 1, 2, "running")}


def test_a_purge_by_filter_never_takes_what_runs(client, family):
    client.purge_orchestrations_by(runtime_status=[RUNNING])
    assert client.get_orchestration_state(f"{family}-running").runtime_status is RUNNING


def test_a_batch_is_purged_in_one_call(client, family):
    batch = pb.InstanceBatch(instanceIds=[f"{family}-{name}" for name in (0, 1, "running", "unknown")])
    response = client._stub.PurgeInstances(pb.PurgeInstancesRequest(instanceBatch=batch))
    assert response.deletedInstanceCount == 2
    assert found(client, instance_id_prefix=family) == {f"{family}-{name}" for name in (2, "failed", "running")}
