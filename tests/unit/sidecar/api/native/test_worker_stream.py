"""The worker stream: who is let in, what is sent, and what becomes of every sort of answer."""

from __future__ import annotations

from functools import partial

import grpc
import pytest

from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityScheduled, Status
from holdfast_proto.v1 import history_pb2
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.pool import ABANDON_DELAY
from holdfast_sidecar.api.native.outbox import FRAME_BYTES_MAX, ITEMS_MAX
from holdfast_sidecar.core.limits import Limits
from tests.unit.sidecar.api.native.ends import WorkerEnd, a_worker, complete, granted, hello, schedule
from tests.unit.sidecar.api.world import NAMESPACE, World, a_world, eventually, until

SECOND = 1_000_000_000


async def has_ended(world: World, instance_id: str = "i", status: Status = Status.COMPLETED) -> None:
    async def is_so() -> bool:
        stored = await world.stored(instance_id)
        return stored is not None and stored.record.status is status

    await eventually(is_so)


# -- hello -----------------------------------------------------------------------------------------------------------


async def test_a_worker_is_welcomed_and_told_the_bounds(world: World) -> None:
    worker = await a_worker(world)
    welcome = worker.frames[0].welcome
    assert (welcome.protocol, welcome.namespace, welcome.host_id) == (1, NAMESPACE, "a")
    assert (welcome.sidecar, welcome.items_max) == ("holdfast-sidecar/1.2.3", ITEMS_MAX)
    assert welcome.payload_bytes_max == world.host.limits.payload_bytes_max
    assert "fused" in welcome.capabilities


@pytest.mark.parametrize(
    ("first", "code", "text"),
    [
        (pb.WorkerFrame(), "HelloMissing", "the first frame must carry a hello"),
        (pb.WorkerFrame(hello=pb.WorkerHello(protocol=9, worker_id="w")), "ProtocolUnknown", "speaks protocol 9"),
        (
            pb.WorkerFrame(hello=pb.WorkerHello(protocol=1, namespace="elsewhere", worker_id="w")),
            "NamespaceUnknown",
            "wants namespace 'elsewhere', this sidecar serves 'shop'",
        ),
    ],
)
async def test_a_worker_that_cannot_be_served_is_told_why(
    world: World, first: pb.WorkerFrame, code: str, text: str
) -> None:
    worker = WorkerEnd(world)
    await worker.send(first)
    frame = await worker.frame()
    assert frame is not None
    assert frame.refusal.code == code
    assert text in frame.refusal.text
    assert await worker.frame() is None
    assert world.host.pool.workers == ()


async def test_a_worker_that_names_no_namespace_is_served(world: World) -> None:
    worker = await a_worker(world, greeting=pb.WorkerHello(protocol=1, worker_id="w"))
    assert worker.frames[0].welcome.namespace == NAMESPACE


async def test_a_worker_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async with a_world(hello_timeout=0.01) as world:
        frame = await WorkerEnd(world).frame()
        assert frame is not None
        assert frame.refusal.code == "HelloMissing"


@pytest.mark.parametrize("is_first", [True, False])
async def test_bytes_that_are_no_frame_end_the_stream_by_name(world: World, *, is_first: bool) -> None:
    worker = WorkerEnd(world) if is_first else await a_worker(world)
    await worker.send(b"\xff\xff")
    assert await worker.frame() is None
    assert await worker.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "expected an encoded WorkerFrame, found 2 bytes of another form" in await worker.details()
    await until(lambda: world.host.pool.workers == ())


# -- credits and names -----------------------------------------------------------------------------------------------


async def test_no_more_is_sent_than_credits_were_granted(world: World) -> None:
    worker = await a_worker(world, turns=2, activities=0)
    for number in range(4):
        await world.start(f"i{number}")
    first, second = await worker.turn(), await worker.turn()
    assert world.host.pool.queued_turns == 2
    await worker.answer(first, schedule(0))
    await worker.answer(second, credits=(1, 0))
    assert (await worker.turn()).instance_id == "i2"
    assert (world.host.pool.queued_turns, world.host.pool.queued_activities) == (1, 1)
    await worker.send(pb.WorkerFrame(credits=granted(0, 1)))
    assert (await worker.activity()).instance_id == "i0"


async def test_a_worker_without_credits_gets_nothing(world: World) -> None:
    worker = await a_worker(world, turns=0, activities=0)
    await world.start()
    assert world.host.pool.queued_turns == 1
    await worker.send(pb.WorkerFrame(credits=granted(1)))
    assert (await worker.turn()).instance_id == "i"


async def test_a_worker_gets_only_what_it_said_that_it_has(world: World) -> None:
    names = [pb.WorkflowName(name="order", versions=["2"]), pb.WorkflowName(name="refund")]
    worker = await a_worker(world, greeting=hello(names=names, activities=["pack"]))
    await world.start("other", "other")
    await world.start("i", "refund")
    turn = await worker.turn()
    await worker.answer(turn, schedule(0), schedule(1, "pack"))
    assert (await worker.activity()).event.event_id == 1
    assert (world.host.pool.queued_turns, world.host.pool.queued_activities) == (1, 1)


async def test_many_items_come_in_frames_of_a_bounded_size(world: World) -> None:
    worker = await a_worker(world, activities=10_000)
    await world.start()
    await worker.answer(await worker.turn(), *(schedule(seq) for seq in range(3 * ITEMS_MAX)))
    for _ in range(3 * ITEMS_MAX):
        await worker.activity()
    assert max(len(frame.activities) for frame in worker.frames) == ITEMS_MAX


# -- the sticky rule -------------------------------------------------------------------------------------------------


async def step(worker: WorkerEnd, turn: pb.Turn, seq: int, *, is_cached: bool = True) -> pb.Turn:
    """Answers with one activity, runs it, and gives the next turn."""
    await worker.answer(turn, schedule(seq), is_cached=is_cached, credits=(1, 1))
    await worker.finish(await worker.activity())
    return await worker.turn()


async def test_a_worker_that_keeps_the_run_is_sent_only_what_is_new(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    assert (turn.past_count, len(turn.past), len(turn.new)) == (0, 0, 2)
    turn = await step(worker, turn, 0)
    assert (turn.past_count, len(turn.past), len(turn.new)) == (3, 0, 2)
    turn = await step(worker, turn, 1)
    assert (turn.past_count, len(turn.past), len(turn.new)) == (6, 0, 2)


async def test_a_worker_that_keeps_nothing_is_sent_everything(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await step(worker, await worker.turn(), 0, is_cached=False)
    assert (turn.past_count, len(turn.past), len(turn.new)) == (0, 3, 2)
    assert turn.past[2].event_id == 0


async def test_a_worker_that_lost_the_run_gets_the_same_turn_whole_under_a_new_token(world: World) -> None:
    worker = await a_worker(world, turns=2)
    await world.start()
    turn = await step(worker, await worker.turn(), 0)
    await worker.send(pb.WorkerFrame(turns=[pb.TurnDone(token=turn.token, needs_history=True)]))
    whole = await worker.turn()
    assert (whole.past_count, len(whole.past), len(whole.new)) == (0, 3, 2)
    assert whole.token != turn.token
    assert [worker_.free_turns for worker_ in world.host.pool.workers] == [1]
    await worker.answer(turn, complete())
    await worker.answer(whole, complete(result='"right"'))
    await has_ended(world)
    assert (await world.state()).output.value == '"right"'


async def test_a_worker_that_asks_for_the_whole_again_and_again_gets_it_after_a_while(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    await worker.send(pb.WorkerFrame(turns=[pb.TurnDone(token=turn.token, needs_history=True)]))
    await until(lambda: world.host.pool.running_turns == 0)
    world.clock.skip(ABANDON_DELAY)
    assert (await worker.turn()).past_count == 0


async def test_a_run_that_left_the_cache_is_sent_whole(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), schedule(0), is_cached=True)
    activity = await worker.activity()
    forgotten = pb.Forgotten(instance_id="i", execution_id=activity.execution_id)
    await worker.send(pb.WorkerFrame(forgotten=[forgotten]))
    await worker.finish(activity)
    assert len((await worker.turn()).past) == 3


async def test_no_more_runs_are_remembered_than_the_worker_keeps(world: World) -> None:
    worker = await a_worker(world, greeting=hello(cache_max=1))
    for instance_id in ("a", "b"):
        await world.start(instance_id)
        await worker.answer(await worker.turn(), schedule(0), is_cached=True)
    first, second = await worker.activity(), await worker.activity()
    await worker.finish(second)
    assert (await worker.turn()).past_count == 3
    await worker.finish(first)
    assert (await worker.turn()).past_count == 0


async def test_a_turn_that_could_not_be_kept_is_dropped_at_the_worker(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), schedule(0), is_cached=True)
    await worker.activity()
    await world.call("RaiseEvent", b"\x0a\x01i\x12\x04paid")
    await worker.answer(await worker.turn(), schedule(0), is_cached=True)
    assert (await worker.drop()).instance_id == "i"
    assert "i" in world.host.stalled


async def test_a_long_history_comes_in_pieces_that_make_up_the_whole(world: World) -> None:
    size = FRAME_BYTES_MAX // 3
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    for seq in range(7):
        await worker.answer(turn, schedule(seq), is_cached=True, credits=(1, 1))
        await worker.finish(await worker.activity(), "x" * size)
        turn = await worker.turn()
    await worker.break_off()
    other = await a_worker(world, turns=1)
    pieces = [await other.turn()]
    while pieces[-1].has_more:
        pieces.append(await other.turn())
    assert len(pieces) >= 3
    assert {piece.token for piece in pieces} == {pieces[0].token}
    assert [piece.past_count for piece in pieces] == [
        sum(len(before.past) for before in pieces[:number]) for number in range(len(pieces))
    ]
    assert [len(piece.new) for piece in pieces] == [0] * (len(pieces) - 1) + [2]
    stored = await world.stored()
    assert stored is not None
    assert [event.SerializeToString(deterministic=True) for piece in pieces for event in piece.past] == [
        history_pb2.HistoryEvent.FromString(row).SerializeToString(deterministic=True) for row in stored.history
    ]
    await other.answer(pieces[0], complete())
    await has_ended(world)


# -- answers ---------------------------------------------------------------------------------------------------------


async def test_a_workflow_runs_from_start_to_end(world: World) -> None:
    worker = await a_worker(world)
    await world.start(text='"in"')
    turn = await step(worker, await worker.turn(), 0)
    await worker.answer(turn, complete())
    await has_ended(world)
    assert (await world.state()).output.value == '"ok"'


async def test_an_answer_counts_only_on_the_stream_that_it_was_asked_on(world: World) -> None:
    holder = await a_worker(world)
    await world.start()
    await holder.answer(await holder.turn(), schedule(0))
    activity = await holder.activity()
    await world.start("j")
    turn = await holder.turn()
    stranger = await a_worker(world, turns=0, activities=0)
    step_ = pb.FusedStep(results=[pb.ActivityDone(token=activity.token)], turn_token=turn.token)
    await stranger.send(
        pb.WorkerFrame(
            turns=[pb.TurnDone(token=turn.token, actions=[complete()])],
            activities=[pb.ActivityDone(token=activity.token)],
            fused=[step_],
            heartbeats=[pb.Heartbeat(token=activity.token)],
        )
    )
    for field in ("abandoned", "needs_history"):
        done = pb.TurnDone(token=turn.token)
        setattr(done, field, "why" if field == "abandoned" else True)
        await stranger.send(pb.WorkerFrame(turns=[done]))
    await stranger.hang_up()
    assert (world.host.pool.running_turns, world.host.pool.running_activities) == (1, 1)


async def test_answers_to_what_nobody_asked_change_nothing(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    before = await world.snapshot()
    await worker.send(
        pb.WorkerFrame(
            turns=[pb.TurnDone(token=1, actions=[complete()]), pb.TurnDone(token=2, needs_history=True)],
            activities=[pb.ActivityDone(token=3), pb.ActivityDone(token=4, abandoned="no")],
            fused=[pb.FusedStep(turn_token=5), pb.FusedStep(results=[pb.ActivityDone(token=6)])],
            heartbeats=[pb.Heartbeat(token=7)],
            forgotten=[pb.Forgotten(instance_id="unknown")],
            pong=8,
        )
    )
    turn = await worker.turn()
    assert await world.snapshot() == before
    await worker.answer(turn)
    await has_ended(world, status=Status.RUNNING)
    assert [type(fact).__name__ for fact in await world.facts()] == ["TurnStarted", "WorkflowStarted"]


async def test_custom_status_is_set_left_and_cleared(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    await worker.answer(turn, schedule(0), schedule(1), custom_status='"busy"')
    seen = [(await world.state()).custom_status.value]
    for clears in (False, True):
        await worker.finish(await worker.activity())
        await worker.answer(await worker.turn(), clears_custom_status=clears)
        seen.append((await world.state()).custom_status.value)
    assert seen == ['"busy"', '"busy"', ""]


async def test_an_action_that_is_none_stalls_with_the_reason(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), history_pb2.Action(seq=4))
    await has_ended(world, status=Status.STALLED)
    stored = await world.stored()
    assert stored is not None
    assert stored.record.stall is not None
    assert stored.record.stall.reason == "CONTRADICTION"
    assert stored.record.dialect == "native"


async def test_a_turn_and_an_activity_that_are_given_back_come_again(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    await worker.send(pb.WorkerFrame(turns=[pb.TurnDone(token=turn.token, abandoned="it drains")]))
    await until(lambda: world.host.pool.running_turns == 0)
    world.clock.skip(ABANDON_DELAY)
    await worker.answer(await worker.turn(), schedule(0))
    activity = await worker.activity()
    await worker.send(pb.WorkerFrame(activities=[pb.ActivityDone(token=activity.token, abandoned="it drains")]))
    await until(lambda: world.host.pool.running_activities == 0)
    world.clock.skip(ABANDON_DELAY)
    again = await worker.activity()
    assert again.token != activity.token
    await worker.finish(again)
    await worker.turn()


async def test_a_failure_and_a_result_above_the_limit_reach_the_workflow() -> None:
    async with a_world(limits=Limits(payload_bytes_max=1000)) as world:
        worker = await a_worker(world)
        await world.start()
        await worker.answer(await worker.turn(), schedule(0), schedule(1))
        first, second = await worker.activity(), await worker.activity()
        failure = history_pb2.Failure(kind="Declined", message="no money", is_non_retryable=True)
        done = [
            pb.ActivityDone(token=first.token, failure=failure),
            pb.ActivityDone(token=second.token, result="x" * 1001),
        ]
        await worker.send(pb.WorkerFrame(activities=done))
        kinds = [event.activity_failed.failure.kind for event in (await failures(worker))]
        assert kinds == ["Declined", "PayloadTooLarge"]


async def failures(worker: WorkerEnd) -> list[history_pb2.HistoryEvent]:
    """Two of them, in one turn or in two."""
    turn = await worker.turn()
    found = [event for event in turn.new if event.HasField("activity_failed")]
    if len(found) < 2:
        await worker.answer(turn)
        found += [event for event in (await worker.turn()).new if event.HasField("activity_failed")]
    return found


async def test_what_a_broken_stream_held_goes_to_another(world: World) -> None:
    first = await a_worker(world)
    await world.start()
    await first.answer(await first.turn(), schedule(0))
    activity = await first.activity()
    await world.start("j")
    await first.turn()
    await first.break_off()
    second = await a_worker(world)
    assert (await second.turn()).instance_id == "j"
    again = await second.activity()
    assert (again.instance_id, again.delivery) == ("i", activity.delivery + 1)


async def test_a_worker_that_hangs_up_has_its_last_answers_taken(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), complete())
    await worker.hang_up()
    await has_ended(world)
    assert await worker.code() is grpc.StatusCode.OK


# -- running activities ----------------------------------------------------------------------------------------------


def bounded(**options: int) -> history_pb2.Action:
    action = schedule(0)
    for name, seconds in options.items():
        setattr(action.extras.options, name, seconds * SECOND)
    return action


async def test_an_activity_of_an_instance_that_ends_is_cancelled(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), schedule(0))
    activity = await worker.activity()
    await world.call("TerminateInstance", b"\x0a\x01i")
    cancel = await worker.cancel()
    assert (cancel.token, cancel.reason) == (activity.token, pb.Cancel.INSTANCE_ENDED)


async def test_an_activity_that_the_workflow_gives_up_is_cancelled(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), schedule(0))
    activity = await worker.activity()
    await world.call("RaiseEvent", b"\x0a\x01i\x12\x04stop")
    await worker.answer(await worker.turn(), history_pb2.Action(seq=0, cancel_activity=history_pb2.CancelActivity()))
    cancel = await worker.cancel()
    assert (cancel.token, cancel.reason) == (activity.token, pb.Cancel.REQUESTED)


@pytest.mark.parametrize(
    ("option", "reason"), [("start_to_close", pb.Cancel.TIMED_OUT), ("heartbeat", pb.Cancel.HEARTBEAT_TIMED_OUT)]
)
async def test_an_activity_that_exceeds_a_bound_is_cancelled_and_fails(
    world: World, option: str, reason: pb.Cancel.Reason
) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), bounded(**{option: 10}))
    activity = await worker.activity()
    world.clock.skip(10)
    cancel = await worker.cancel()
    assert (cancel.token, cancel.reason) == (activity.token, reason)
    await worker.finish(activity, '"late"')
    await worker.answer(await worker.turn(), complete())
    await has_ended(world)
    assert [type(f).__name__ for f in await world.facts() if isinstance(f, ActivityFailed | ActivityCompleted)] == [
        "ActivityFailed"
    ]


async def test_heartbeats_keep_an_activity_alive_and_their_details_are_kept(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), bounded(heartbeat=10))
    activity = await worker.activity()
    for number in range(3):
        world.clock.skip(9)
        await worker.send(pb.WorkerFrame(heartbeats=[pb.Heartbeat(token=activity.token, details=f"{number}")]))
        await until(partial(is_known, world, activity, f"{number}"))
    await worker.break_off()
    again = await (await a_worker(world)).activity()
    assert (again.heartbeat_details, again.delivery) == ("2", 2)


def is_known(world: World, activity: pb.Activity, details: str) -> bool:
    task = world.host.pool.peek_activity(activity.token)
    return task is not None and task.details == details


# -- draining --------------------------------------------------------------------------------------------------------


async def test_a_worker_that_drains_gets_nothing_new_whatever_credits_come(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    await worker.send(pb.WorkerFrame(draining=True))
    await worker.answer(turn, schedule(0), credits=(2**32 - 1, 2**32 - 1))
    await until(lambda: world.host.pool.queued_activities == 1)
    await world.start("j")
    assert world.host.pool.queued_turns == 1


async def test_a_sidecar_that_drains_says_so_and_takes_what_is_outstanding(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    world.workers.drain()
    while not worker.frames[-1].draining:
        assert await worker.frame() is not None
    await worker.answer(turn, complete())
    await worker.hang_up()
    await has_ended(world)


async def test_a_worker_that_comes_while_the_sidecar_drains_is_sent_away(world: World) -> None:
    world.workers.drain()
    worker = WorkerEnd(world)
    await worker.send(pb.WorkerFrame(hello=hello()))
    frame = await worker.frame()
    assert frame is not None
    assert frame.draining
    assert await worker.frame() is None


async def test_the_same_answer_twice_counts_once(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    turn = await worker.turn()
    for _ in range(2):
        await worker.answer(turn, schedule(0))
    activity = await worker.activity()
    for _ in range(2):
        await worker.finish(activity)
    await worker.answer(await worker.turn(), complete())
    await has_ended(world)
    facts = await world.facts()
    assert sum(isinstance(fact, ActivityScheduled | ActivityCompleted) for fact in facts) == 2
