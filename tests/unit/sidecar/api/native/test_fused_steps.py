"""The fused step: taken when it can be true, else only its results count and the worker's run is dropped."""

from __future__ import annotations

from holdfast_proto.history import ActivityCompleted, ActivityScheduled, Status
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.pool import ABANDON_DELAY
from holdfast_sidecar.stores.faults import FailBefore, FencedBy, Script
from tests.unit.sidecar.api.native.ends import WorkerEnd, a_worker, complete, schedule
from tests.unit.sidecar.api.world import World, eventually, until


async def begun(world: World, *, activities: int = 1, instance_id: str = "i") -> tuple[WorkerEnd, pb.FusedStep]:
    """A worker that holds a run with so many activities, and the step that feeds it all their results."""
    worker = await a_worker(world)
    return worker, await begin(world, worker, activities=activities, instance_id=instance_id)


async def begin(world: World, worker: WorkerEnd, *, activities: int = 1, instance_id: str = "i") -> pb.FusedStep:
    await world.start(instance_id)
    turn = await worker.turn()
    await worker.answer(turn, *(schedule(seq) for seq in range(activities)), is_cached=True)
    results = [
        pb.ActivityDone(token=(await worker.activity()).token, result=f'"{number}"') for number in range(activities)
    ]
    return pb.FusedStep(
        results=results,
        turn_token=turn.token,
        based_on=2 + activities,
        turn_time=world.host.clock.now_ns(),
        is_cached=True,
    )


async def send(worker: WorkerEnd, step: pb.FusedStep) -> None:
    await worker.send(pb.WorkerFrame(fused=[step]))


async def kinds(world: World, instance_id: str = "i") -> list[str]:
    return [type(fact).__name__ for fact in await world.facts(instance_id)]


async def recorded(world: World, count: int, instance_id: str = "i") -> None:
    async def is_so() -> bool:
        return len(await world.facts(instance_id)) == count

    await eventually(is_so)


async def completed(world: World, worker: WorkerEnd) -> None:
    """The worker ends the run as soon as it is given a turn."""

    async def has_ended() -> bool:
        world.clock.skip(1)
        while worker.turns or world.host.pool.running_turns:
            await worker.answer(await worker.turn(), complete())
            await world.call("Hello")
        stored = await world.stored()
        return stored is not None and stored.record.status is Status.COMPLETED

    await eventually(has_ended)


async def refused(world: World, worker: WorkerEnd, *, drops: int = 1) -> pb.Turn:
    """The worker is told to drop its run, and the result comes back to it in a turn with the whole history."""
    assert {(await worker.drop()).instance_id for _ in range(drops)} >= {"i"}
    turn = await worker.turn()
    assert turn.past_count == 0
    assert len(turn.past) == 3
    assert [event.WhichOneof("kind") for event in turn.new] == ["turn_started", "activity_completed"]
    return turn


# -- taken -----------------------------------------------------------------------------------------------------------


async def test_a_step_is_recorded_in_one_commit_and_asks_for_no_turn(world: World) -> None:
    worker, step = await begun(world)
    commits = world.host.committer.commits
    step.actions.append(schedule(1))
    await send(worker, step)
    assert (await worker.activity()).event.event_id == 1
    assert (await kinds(world))[3:] == ["TurnStarted", "ActivityCompleted", "ActivityScheduled"]
    assert (await world.facts())[3].at == step.turn_time
    assert world.host.committer.commits == commits + 1
    assert world.host.pool.running_turns == 0


async def test_an_activity_is_known_until_its_step_is_durable(world: World) -> None:
    """Else one that gets the instance meanwhile would be told that nobody is at it, and have it run again."""
    worker, step = await begun(world)
    activities, seen = world.host.activities, list[tuple[int, bool]]()
    [key] = activities.known()

    def look(verb: str, _: int) -> None:
        if verb == "commit":
            seen.append((world.host.pool.running_activities, activities.knows(key)))

    world.store.plan = look
    step.actions.append(complete())
    await send(worker, step)
    await until(lambda: not activities.is_at_work)
    assert seen == [(0, True)]
    assert not activities.knows(key)


async def test_a_step_may_carry_several_results(world: World) -> None:
    worker, step = await begun(world, activities=3)
    step.actions.append(complete())
    await send(worker, step)
    await recorded(world, 10)
    results = [fact.result for fact in await world.facts() if isinstance(fact, ActivityCompleted)]
    assert results == ['"0"', '"1"', '"2"']
    assert (await world.state()).orchestration_status == Status.COMPLETED


async def test_step_follows_step_without_a_turn_between(world: World) -> None:
    worker, step = await begun(world)
    for seq in range(1, 5):
        step.actions.append(schedule(seq))
        await send(worker, step)
        activity = await worker.activity()
        step = pb.FusedStep(
            results=[pb.ActivityDone(token=activity.token)],
            turn_token=step.turn_token,
            based_on=step.based_on + 3,
            turn_time=world.host.clock.now_ns(),
            is_cached=True,
        )
    step.actions.append(complete())
    await send(worker, step)
    await recorded(world, 18)
    assert not worker.drops
    assert not worker.turns


async def test_a_turn_after_a_step_builds_on_what_the_worker_holds(world: World) -> None:
    worker, step = await begun(world)
    step.actions.append(schedule(1))
    await send(worker, step)
    await worker.activity()
    await world.call("RaiseEvent", b"\x0a\x01i\x12\x04paid")
    turn = await worker.turn()
    assert (turn.past_count, len(turn.past)) == (6, 0)


async def test_after_a_step_that_gave_up_the_run_the_history_is_sent_whole(world: World) -> None:
    worker, step = await begun(world)
    step.actions.append(schedule(1))
    step.is_cached = False
    await send(worker, step)
    await worker.finish(await worker.activity())
    turn = await worker.turn()
    assert (turn.past_count, len(turn.past)) == (0, 6)


# -- refused ---------------------------------------------------------------------------------------------------------


async def test_a_step_on_another_turn_is_refused(world: World) -> None:
    worker, step = await begun(world)
    step.turn_token += 1
    step.actions.append(complete())
    await send(worker, step)
    await worker.answer(await refused(world, worker), complete())


async def test_a_step_that_is_based_on_another_history_is_refused(world: World) -> None:
    worker, step = await begun(world)
    step.based_on += 1
    await send(worker, step)
    await refused(world, worker)


async def test_a_step_on_a_run_that_the_sidecar_does_not_follow_is_refused(world: World) -> None:
    worker, step = await begun(world)
    forgotten = pb.Forgotten(instance_id="i", execution_id="e")
    await worker.send(pb.WorkerFrame(forgotten=[forgotten]))
    await send(worker, step)
    await refused(world, worker)


async def test_a_step_is_refused_when_something_else_came_before(world: World) -> None:
    worker, step = await begun(world)
    await world.call("RaiseEvent", b"\x0a\x01i\x12\x04paid")
    turn = await worker.turn()
    step.actions.append(complete())
    await send(worker, step)
    assert (await worker.drop()).instance_id == "i"
    await worker.answer(turn, schedule(1))
    turn = await worker.turn()
    assert [event.WhichOneof("kind") for event in turn.new] == ["turn_started", "activity_completed"]
    assert (await world.state()).orchestration_status == Status.RUNNING


async def test_a_step_with_a_result_that_nobody_asked_for_is_refused(world: World) -> None:
    worker, step = await begun(world)
    step.results.append(pb.ActivityDone(token=1))
    await send(worker, step)
    await refused(world, worker)


async def test_a_step_with_the_same_result_twice_is_refused_and_the_result_counts_once(world: World) -> None:
    worker, step = await begun(world)
    step.results.append(step.results[0])
    await send(worker, step)
    await worker.answer(await refused(world, worker), complete())
    await recorded(world, 6)
    assert (await kinds(world)).count("ActivityCompleted") == 1


async def test_a_step_with_results_of_two_instances_is_refused_and_both_count(world: World) -> None:
    worker, step = await begun(world)
    other = await begin(world, worker, instance_id="j")
    step.results.extend(other.results)
    await send(worker, step)
    drops = {(await worker.drop()).instance_id, (await worker.drop()).instance_id}
    turns = {(await worker.turn()).instance_id, (await worker.turn()).instance_id}
    assert drops == turns == {"i", "j"}


async def test_a_step_with_an_activity_that_was_given_back_is_refused_and_that_one_comes_again(world: World) -> None:
    worker, step = await begun(world, activities=2)
    step.results[1].abandoned = "no such activity"
    await send(worker, step)
    await worker.drop()
    turn = await worker.turn()
    assert [event.WhichOneof("kind") for event in turn.new] == ["turn_started", "activity_completed"]
    world.clock.skip(ABANDON_DELAY)
    assert (await worker.activity()).event.event_id == 1


async def test_a_step_whose_results_came_too_late_drops_the_run(world: World) -> None:
    worker, step = await begun(world)
    await worker.send(pb.WorkerFrame(activities=step.results))
    turn = await worker.turn()
    step.turn_token = turn.token
    await send(worker, step)
    assert (await worker.drop()).instance_id == "i"
    await worker.answer(turn, complete())
    await recorded(world, 6)


async def test_what_was_built_on_a_refused_step_is_refused_too(world: World) -> None:
    worker, step = await begun(world, activities=2)
    first = pb.FusedStep(results=step.results[:1], turn_token=step.turn_token, based_on=77, is_cached=True)
    second = pb.FusedStep(results=step.results[1:], turn_token=step.turn_token, based_on=79, is_cached=True)
    second.actions.append(complete())
    await worker.send(pb.WorkerFrame(fused=[first, second]))
    await worker.drop()
    turn = await worker.turn()
    while sum(event.HasField("activity_completed") for event in (*turn.past, *turn.new)) < 2:
        await worker.answer(turn)
        turn = await worker.turn()
    assert (await world.state()).orchestration_status == Status.RUNNING


async def test_a_step_that_contradicts_the_history_stalls_and_keeps_its_result(world: World) -> None:
    worker, step = await begun(world, activities=2)
    step.results.pop()
    step.actions.append(schedule(1))
    await send(worker, step)
    assert (await worker.drop()).instance_id == "i"
    await until(lambda: "i" in world.host.stalled)

    async def is_kept() -> bool:
        stored = await world.stored()
        return stored is not None and stored.record.stall is not None and len(stored.inbox) == 1

    await eventually(is_kept)
    assert (await kinds(world)).count("ActivityScheduled") == 2


async def test_a_suspended_instance_takes_no_step_but_the_result(world: World) -> None:
    worker, step = await begun(world)
    await world.call("SuspendInstance", b"\x0a\x01i")
    step.actions.append(complete())
    await send(worker, step)
    await worker.drop()
    await world.call("ResumeInstance", b"\x0a\x01i")
    turn = await worker.turn()
    assert [event.WhichOneof("kind") for event in turn.new][-1] == "resumed"
    assert any(event.HasField("activity_completed") for event in turn.new)


async def test_a_step_whose_commit_fails_loses_no_result(world: World) -> None:
    worker, step = await begun(world)
    world.store.plan = Script({"commit": [FailBefore()]})
    step.actions.append(complete())
    await send(worker, step)
    await completed(world, worker)
    facts = await world.facts()
    assert sum(isinstance(fact, ActivityCompleted) for fact in facts) == 1
    assert sum(isinstance(fact, ActivityScheduled) for fact in facts) == 1


async def test_a_step_that_comes_when_the_instance_has_moved_loses_no_result(world: World) -> None:
    worker, step = await begun(world)
    world.store.plan = Script({"commit": [FencedBy()]})
    step.actions.append(complete())
    await send(worker, step)
    await until(lambda: not world.host.owns("i"))
    await world.host.acquire([world.host.partition_of("i")], 100)
    await completed(world, worker)
    assert not world.host.activities.known()
