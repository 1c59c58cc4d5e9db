"""Work item streams over a real connection: what is sent to whom, and what becomes of it when a stream ends."""

from __future__ import annotations

import grpc
import pytest

from holdfast_proto.durabletask import dapr_pb2
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_proto.history import Status
from holdfast_sidecar.actors.pool import ABANDON_DELAY, LOST_MAX
from holdfast_sidecar.actors.ports import SAVE_AFTER
from holdfast_sidecar.api.durabletask.worker import OUTSTANDING, PING_PERIOD, TURN_QUICK
from tests.unit.sidecar.api.world import Stream, World, activity_answer, complete, schedule, turn_answer, until

MICROSOFT = pb.GetWorkItemsRequest(
    max_concurrent_orchestration_work_items=10, max_concurrent_activity_work_items=10, worker_instance_id="w"
)
DAPR = dapr_pb2.GetWorkItemsRequest(
    capabilities=[dapr_pb2.WORKER_CAPABILITY_HEALTH_PING, dapr_pb2.WORKER_CAPABILITY_STATEFUL_HISTORY]
)


def limits(turns: int, activities: int) -> pb.GetWorkItemsRequest:
    return pb.GetWorkItemsRequest(
        max_concurrent_orchestration_work_items=turns,
        max_concurrent_activity_work_items=activities,
        worker_instance_id="w",
    )


async def test_a_workflow_runs_from_start_to_end(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    await world.start(text='"in"')
    await world.answer(await worker.turn(), schedule(1))
    activity = await worker.activity()
    assert (activity.activity_request.name, activity.activity_request.task_id) == ("charge", 1)
    await world.call("CompleteActivityTask", activity_answer(activity))
    await world.answer(await worker.turn(), complete())
    state = await world.state()
    assert state.orchestration_status == Status.COMPLETED
    assert (state.input.value, state.output.value) == ('"in"', '"ok"')


async def test_a_worker_says_hello(world: World) -> None:
    assert await world.call("Hello") == b""


async def test_a_request_that_cannot_be_read_opens_no_stream(world: World) -> None:
    stream = world.stream("GetWorkItems", b"\xff")
    assert await stream.frame() is None
    assert await stream.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "work item stream: expected an encoded GetWorkItemsRequest" in await stream.details()
    assert world.host.pool.workers == ()


# -- limits and filters ----------------------------------------------------------------------------------------------


async def test_no_more_turns_are_outstanding_than_a_worker_takes(world: World) -> None:
    worker = await world.worker(limits(2, 1))
    for number in range(4):
        await world.start(f"i{number}")
    first, _ = await worker.turn(), await worker.turn()
    assert (world.host.pool.running_turns, world.host.pool.queued_turns) == (2, 2)
    await world.answer(first)
    assert (await worker.turn()).orchestrator_request.instance_id == "i2"
    assert (world.host.pool.running_turns, world.host.pool.queued_turns) == (2, 1)


async def test_no_more_activities_are_outstanding_than_a_worker_takes(world: World) -> None:
    worker = await world.worker(limits(1, 1))
    await world.start()
    await world.answer(await worker.turn(), schedule(1), schedule(2))
    first = await worker.activity()
    assert (world.host.pool.running_activities, world.host.pool.queued_activities) == (1, 1)
    await world.call("CompleteActivityTask", activity_answer(first))
    items = [await worker.item(pb.WorkItem) for _ in range(2)]
    assert {item.activity_request.task_id for item in items} == {0, 2}


async def test_a_worker_without_limits_gets_as_much_as_the_weakest_client_can_queue(world: World) -> None:
    await world.worker()
    for number in range(OUTSTANDING + 5):
        await world.start(f"i{number}")
    assert (world.host.pool.running_turns, world.host.pool.queued_turns) == (OUTSTANDING, 5)


async def test_a_worker_whose_only_work_was_withdrawn_gets_other_work(world: World) -> None:
    worker = await world.worker(limits(1, 1))
    await world.start("a")
    await worker.turn()
    await world.start("b")
    await world.call("PurgeInstances", pb.PurgeInstancesRequest(instance_id="a").SerializeToString() + b"\x20\x01")
    assert (await worker.turn()).orchestrator_request.instance_id == "b"


async def test_a_worker_gets_only_what_it_filters_for(world: World) -> None:
    request = pb.GetWorkItemsRequest()
    request.work_item_filters.orchestrations.add(name="order", versions=["2"])
    request.work_item_filters.activities.add(name="charge")
    worker = await world.worker(request)
    for instance_id, name, version in (("a", "order", "1"), ("b", "refund", "2"), ("c", "order", "2")):
        start = pb.CreateInstanceRequest(instance_id=instance_id, name=name)
        start.version.value = version
        await world.call("StartInstance", start)
    turn = await worker.turn()
    assert turn.orchestrator_request.instance_id == "c"
    await world.answer(turn, schedule(1, "pack"), schedule(2, "charge", version="7"))
    assert (await worker.activity()).activity_request.task_id == 2
    assert (world.host.pool.queued_turns, world.host.pool.queued_activities) == (2, 1)


async def test_a_filter_for_the_version_none_takes_what_has_no_version(world: World) -> None:
    request = pb.GetWorkItemsRequest()
    request.work_item_filters.orchestrations.add(name="order", versions=[""])
    worker = await world.worker(request)
    await world.start()
    assert (await worker.turn()).orchestrator_request.instance_id == "i"


async def test_an_empty_filter_takes_nothing(world: World) -> None:
    request = pb.GetWorkItemsRequest()
    request.work_item_filters.SetInParent()
    await world.worker(request)
    await world.start()
    assert world.host.pool.queued_turns == 1


# -- streams that end ------------------------------------------------------------------------------------------------


async def test_what_a_lost_stream_held_goes_to_another_one(world: World) -> None:
    first = await world.worker(MICROSOFT)
    await world.start()
    await world.answer(await first.turn(), schedule(1))
    await world.start("j")
    lost = [await first.item(pb.WorkItem), await first.item(pb.WorkItem)]
    await first.hang_up()
    second = await world.worker(MICROSOFT)
    found = [await second.item(pb.WorkItem), await second.item(pb.WorkItem)]
    assert {item.orchestrator_request.instance_id or item.activity_request.name for item in found} == {"j", "charge"}
    assert {item.completion_token for item in lost}.isdisjoint(item.completion_token for item in found)


async def test_a_late_answer_of_a_lost_stream_changes_nothing(world: World) -> None:
    first = await world.worker(MICROSOFT)
    await world.start()
    late = await first.turn()
    await first.hang_up()
    second = await world.worker(MICROSOFT)
    again = await second.turn()
    await world.answer(late, complete(result='"late"'))
    assert (await world.state()).orchestration_status == Status.PENDING
    await world.answer(again, complete(result='"right"'))
    assert (await world.state()).output.value == '"right"'


async def test_a_turn_that_no_stream_survives_stalls_its_instance(world: World) -> None:
    await world.start()
    for _ in range(LOST_MAX):
        stream = await world.worker(MICROSOFT)
        await stream.turn()
        await stream.hang_up()
    await until(lambda: "i" in world.host.stalled)
    stored = await world.stored()
    assert stored is not None
    assert stored.record.stall is not None
    assert stored.record.stall.reason == "WORKER_LOST"
    stream = await world.worker(MICROSOFT)
    await world.answer(await stream.turn(), complete())
    assert (await world.state()).orchestration_status == Status.COMPLETED


async def test_a_sidecar_that_drains_ends_its_streams_and_opens_no_others(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    world.durabletask.drain()
    assert await worker.frame() is None
    assert await worker.code() is grpc.StatusCode.OK
    late = world.stream("GetWorkItems", MICROSOFT)
    assert await late.frame() is None
    assert await late.code() is grpc.StatusCode.UNAVAILABLE
    assert "shutting down" in await late.details()
    await until(lambda: world.host.pool.workers == ())


async def test_what_a_worker_held_when_the_sidecar_drained_is_not_lost(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    await world.start()
    await worker.turn()
    world.durabletask.drain()
    assert await worker.frame() is None
    await until(lambda: world.host.pool.queued_turns == 1)


# -- pings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "ping"),
    [
        (MICROSOFT, b"\x22\x00"),
        (pb.GetWorkItemsRequest(max_concurrent_activity_work_items=1), b"\x22\x00"),
        (DAPR, b"\x32\x00"),
    ],
)
async def test_an_idle_stream_is_kept_alive(
    world: World, request_: pb.GetWorkItemsRequest | dapr_pb2.GetWorkItemsRequest, ping: bytes
) -> None:
    worker = await world.worker(request_)
    world.clock.skip(PING_PERIOD)
    assert await worker.frame() == ping
    world.clock.skip(2 * PING_PERIOD)
    assert await worker.frame() == ping


@pytest.mark.parametrize("request_", [b"", b"\x22\x01\x02"])
async def test_a_client_that_knows_no_pings_gets_none(world: World, request_: bytes) -> None:
    worker = await world.worker(request_)
    world.clock.skip(10 * PING_PERIOD)
    await world.start()
    assert (await worker.turn()).orchestrator_request.instance_id == "i"


async def test_a_busy_stream_needs_no_pings(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    for number in range(3):
        await world.start(f"i{number}")
        assert (await worker.turn()).orchestrator_request.instance_id == f"i{number}"
        world.clock.skip(PING_PERIOD)
    world.clock.skip(PING_PERIOD)
    assert await worker.frame() == b"\x22\x00"


async def test_a_stream_that_has_ended_is_not_pinged(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    await worker.hang_up()
    world.clock.skip(10 * PING_PERIOD)
    assert await world.call("Hello") == b""


# -- patience --------------------------------------------------------------------------------------------------------


async def run_turns(world: World, stream: Stream, name: str, *, count: int, seconds: float) -> None:
    """One after the other, each of which takes the worker so long."""
    for number in range(count):
        await world.start(f"{name}{number}")
        turn = await stream.turn()
        world.clock.skip(seconds)
        await world.answer(turn)


async def test_nothing_waits_for_the_turns_of_a_worker_whose_turns_have_become_slow(world: World) -> None:
    world.clock.stop()
    stream = await world.worker(MICROSOFT)
    [worker] = world.host.pool.workers
    await run_turns(world, stream, "first", count=1, seconds=2 * TURN_QUICK)
    assert worker.patience == SAVE_AFTER  # one slow turn tells nothing
    await run_turns(world, stream, "slow", count=29, seconds=2 * TURN_QUICK)
    assert worker.patience == 0.0


async def test_a_worker_whose_turns_are_quick_again_is_waited_for_again(world: World) -> None:
    world.clock.stop()
    stream = await world.worker(MICROSOFT)
    [worker] = world.host.pool.workers
    await run_turns(world, stream, "slow", count=20, seconds=3600)
    assert worker.patience == 0.0
    await run_turns(world, stream, "quick", count=20, seconds=0)
    assert worker.patience == SAVE_AFTER


# -- given back ------------------------------------------------------------------------------------------------------


async def test_a_turn_that_is_given_back_comes_again_after_a_while(world: World) -> None:
    worker = await world.worker(limits(1, 1))
    await world.start("a")
    turn = await worker.turn()
    await world.start("b")
    abandon = pb.AbandonOrchestrationTaskRequest(completion_token=turn.completion_token)
    await world.call("AbandonTaskOrchestratorWorkItem", abandon)
    other = await worker.turn()
    assert other.orchestrator_request.instance_id == "b"
    await world.answer(other, complete())
    world.clock.skip(ABANDON_DELAY)
    again = await worker.turn()
    assert again.orchestrator_request.instance_id == "a"
    assert again.completion_token != turn.completion_token


async def test_an_activity_that_is_given_back_comes_again_after_a_while(world: World) -> None:
    worker = await world.worker(limits(1, 1))
    await world.start()
    await world.answer(await worker.turn(), schedule(1), schedule(2))
    activity = await worker.activity()
    abandon = pb.AbandonActivityTaskRequest(completion_token=activity.completion_token)
    await world.call("AbandonTaskActivityWorkItem", abandon)
    other = await worker.activity()
    assert other.activity_request.task_id == 2
    await world.call("CompleteActivityTask", activity_answer(other))
    await world.answer(await worker.turn())
    world.clock.skip(ABANDON_DELAY)
    assert (await worker.activity()).activity_request.task_id == 1


async def test_a_worker_that_wants_the_history_once_more_gets_it_after_a_while(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    await world.start()
    turn = await worker.turn()
    await world.call("CompleteOrchestratorTask", pb.OrchestratorResponse(
        instance_id="i", completion_token=turn.completion_token, requires_history=True
    ))  # fmt: skip
    assert world.host.pool.running_turns == 0
    world.clock.skip(ABANDON_DELAY)
    again = await worker.turn()
    kinds = [event.WhichOneof("event_type") for event in again.orchestrator_request.new_events]
    assert kinds == ["orchestrator_started", "execution_started"]


# -- sizes -----------------------------------------------------------------------------------------------------------


async def test_messages_are_as_large_as_the_limits_allow(world: World) -> None:
    worker = await world.worker(MICROSOFT)
    text = "x" * (world.host.limits.payload_bytes_max - 2)
    await world.start(text=f'"{text}"')
    turn = await worker.turn()
    assert turn.orchestrator_request.new_events[1].execution_started.input.value == f'"{text}"'
    await world.answer(turn, *(schedule(seq) for seq in range(3)))
    for activity in [await worker.activity() for _ in range(3)]:
        await world.call("CompleteActivityTask", activity_answer(activity, text))
    received = 0
    while received < 3:
        turn = await worker.turn()
        received = sum(
            event.HasField("task_completed")
            for event in (*turn.orchestrator_request.past_events, *turn.orchestrator_request.new_events)
        )
        await world.answer(turn, *([complete(result=text)] if received == 3 else []))
    assert (await world.state()).output.value == text


# -- who is at the other end -----------------------------------------------------------------------------------------


async def test_a_dapr_worker_that_keeps_history_gets_deltas_from_the_third_turn_on(world: World) -> None:
    worker = await world.worker(DAPR)
    await world.start()
    seen: list[tuple[int, int]] = []
    for seq in range(1, 5):
        item = await worker.item(dapr_pb2.WorkItem)
        request = item.orchestrator_request
        seen.append((request.cached_history.event_count, len(request.past_events)))
        response = dapr_pb2.OrchestratorResponse(instance_id="i", completion_token=item.completion_token)
        response.actions.add(id=seq).schedule_task.name = "charge"
        await world.call("CompleteWorkflowTask", response)
        activity = await worker.activity()
        await world.call("CompleteActivityTask", activity_answer(activity))
    assert seen == [(0, 0), (0, 3), (3, 3), (6, 3)]


async def test_a_worker_that_lost_its_copy_is_told_exactly_the_committed_past(world: World) -> None:
    worker = await world.worker(DAPR)
    await world.start()
    for seq in range(1, 3):
        item = await worker.item(dapr_pb2.WorkItem)
        response = dapr_pb2.OrchestratorResponse(instance_id="i", completion_token=item.completion_token)
        response.actions.add(id=seq).schedule_task.name = "charge"
        await world.call("CompleteWorkflowTask", response)
        await world.call("CompleteActivityTask", activity_answer(await worker.activity()))
    request = (await worker.item(dapr_pb2.WorkItem)).orchestrator_request
    answer = await world.call("GetInstanceHistory", dapr_pb2.GetInstanceHistoryRequest(instance_id="i"))
    events = dapr_pb2.GetInstanceHistoryResponse.FromString(answer).events
    assert len(events) == request.cached_history.event_count + len(request.past_events)
    assert list(events)[request.cached_history.event_count :] == list(request.past_events)


async def test_an_unknown_client_is_known_from_its_first_answer(world: World) -> None:
    """Its first item has only what all families read alike, the next ones what its own has more."""
    worker = await world.worker()
    await world.start("a")
    turn = await worker.turn()
    response = turn_answer(turn, schedule(1))
    response.orchestration_trace_context.span_id.value = "0123456789abcdef"
    await world.call("CompleteOrchestratorTask", response)
    activity = await worker.activity()
    await world.call("CompleteActivityTask", activity_answer(activity))
    again = await worker.turn()
    assert again.orchestrator_request.orchestration_trace_context == response.orchestration_trace_context


async def test_an_unknown_client_that_names_a_version_is_daprs(world: World) -> None:
    worker = await world.worker()
    await world.start()
    turn = await worker.item(dapr_pb2.WorkItem)
    response = dapr_pb2.OrchestratorResponse(instance_id="i", completion_token=turn.completion_token)
    response.version.patches.append("p1")
    action = response.actions.add(id=1)
    action.schedule_task.name = "charge"
    action.schedule_task.task_execution_id = "stable"
    await world.call("CompleteOrchestratorTask", response)
    activity = await worker.item(dapr_pb2.WorkItem)
    assert activity.activity_request.task_execution_id == "stable"
    assert (await world.state()).orchestration_status == Status.RUNNING
