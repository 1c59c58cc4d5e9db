"""Answers of workers over a real connection: right ones, late ones, strange ones, and those in pieces."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from holdfast_proto.durabletask import dapr_pb2
from holdfast_proto.durabletask import microsoft_pb2 as pb
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityScheduled, Status
from holdfast_sidecar.api.durabletask.tokens import Token, Work, write_token
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.stores.faults import FailBefore, LoseAnswer, Script
from tests.unit.sidecar.api.world import (
    Stream,
    World,
    a_world,
    activity_answer,
    complete,
    eventually,
    schedule,
    turn_answer,
    until,
)

MICROSOFT = pb.GetWorkItemsRequest(worker_instance_id="w")
GARBAGE = ["x", "mt0.0.1.i", write_token(Token(Work.TURN, 1)), write_token(Token(Work.ACTIVITY, 7)), "\0" * 300, "é"]


async def begun(world: World, request: pb.GetWorkItemsRequest | bytes = MICROSOFT) -> tuple[Stream, pb.WorkItem]:
    worker = await world.worker(request)
    await world.start()
    return worker, await worker.turn()


async def running(world: World, request: pb.GetWorkItemsRequest | bytes = MICROSOFT) -> tuple[Stream, pb.WorkItem]:
    worker, turn = await begun(world, request)
    await world.answer(turn, schedule(1))
    return worker, await worker.activity()


# -- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", GARBAGE)
async def test_an_answer_under_a_strange_token_is_taken_and_changes_nothing(world: World, token: str) -> None:
    _, turn = await begun(world)
    before = await world.snapshot()
    response = turn_answer(turn, complete())
    response.completion_token = token
    assert await world.call("CompleteOrchestratorTask", response) == b""
    activity = pb.ActivityResponse(instance_id="i", task_id=1, completion_token=token)
    assert await world.call("CompleteActivityTask", activity) == b""
    for method in ("AbandonTaskOrchestratorWorkItem", "AbandonTaskActivityWorkItem"):
        assert await world.call(method, pb.AbandonActivityTaskRequest(completion_token=token)) == b""
    assert await world.snapshot() == before
    await world.answer(turn, complete())
    assert (await world.state()).orchestration_status == Status.COMPLETED


async def test_an_answer_to_a_turn_that_was_never_sent_changes_nothing(world: World) -> None:
    await world.start()
    before = await world.snapshot()
    for instance_id in ("i", "unknown"):
        response = pb.OrchestratorResponse(instance_id=instance_id, actions=[complete()])
        assert await world.call("CompleteOrchestratorTask", response) == b""
        assert await world.call("CompleteActivityTask", pb.ActivityResponse(instance_id=instance_id)) == b""
    assert await world.snapshot() == before


async def test_the_same_answer_twice_counts_once(world: World) -> None:
    worker, activity = await running(world)
    for _ in range(2):
        await world.call("CompleteActivityTask", activity_answer(activity))
    turn = await worker.turn()
    for _ in range(2):
        await world.answer(turn, schedule(2))
    facts = await world.facts()
    assert sum(isinstance(fact, ActivityCompleted) for fact in facts) == 1
    assert sum(isinstance(fact, ActivityScheduled) for fact in facts) == 2


async def test_the_token_of_a_turn_completes_no_activity(world: World) -> None:
    worker, turn = await begun(world)
    await world.answer(turn, schedule(1))
    activity = await worker.activity()
    response = turn_answer(turn, complete())
    response.completion_token = activity.completion_token
    await world.call("CompleteOrchestratorTask", response)
    assert (await world.state()).orchestration_status == Status.RUNNING
    assert world.host.pool.running_activities == 1


# -- clients without tokens ------------------------------------------------------------------------------------------


async def test_a_client_without_tokens_is_known_by_instance_and_seq(world: World) -> None:
    worker, turn = await begun(world, b"")
    await world.answer(turn, schedule(1), schedule(2), token=False)
    for activity in [await worker.activity(), await worker.activity()]:
        answer = activity_answer(activity, f'"{activity.activity_request.task_id}"')
        answer.completion_token = ""
        await world.call("CompleteActivityTask", answer)
    await world.answer(await worker.turn(), token=False)
    results = {fact.seq: fact.result for fact in await world.facts() if isinstance(fact, ActivityCompleted)}
    assert results.items() <= {1: '"1"', 2: '"2"'}.items()
    assert results


async def test_an_answer_without_a_token_is_none_of_a_client_that_echoes_them(world: World) -> None:
    worker, turn = await begun(world)
    await world.answer(turn, schedule(1), schedule(2))
    first, _ = await worker.activity(), await worker.activity()
    await world.call("CompleteActivityTask", activity_answer(first))
    again = await worker.turn()
    await world.answer(again, complete(), token=False)
    late = pb.ActivityResponse(instance_id="i", task_id=2)
    await world.call("CompleteActivityTask", late)
    assert (await world.state()).orchestration_status == Status.RUNNING
    assert world.host.pool.running_activities == 1


# -- chunks ----------------------------------------------------------------------------------------------------------


def chunk(turn: pb.WorkItem, number: int, *actions: pb.OrchestratorAction, is_last: bool = False) -> bytes:
    response = turn_answer(turn, *actions)
    response.is_partial = not is_last
    response.chunk_index.value = number
    return response.SerializeToString()


async def test_an_answer_in_chunks_takes_effect_with_the_last(world: World) -> None:
    worker, turn = await begun(world)
    for number in range(3):
        await world.call("CompleteOrchestratorTask", chunk(turn, number, schedule(number)))
    assert await world.facts() == []
    await world.call("CompleteOrchestratorTask", chunk(turn, 3, schedule(3), is_last=True))
    assert [(await worker.activity()).activity_request.task_id for _ in range(4)] == [0, 1, 2, 3]


async def test_chunks_of_a_stream_that_dies_are_forgotten(world: World) -> None:
    worker, turn = await begun(world)
    await world.call("CompleteOrchestratorTask", chunk(turn, 0, schedule(0)))
    await worker.hang_up()
    other = await world.worker(MICROSOFT)
    again = await other.turn()
    await world.call("CompleteOrchestratorTask", chunk(turn, 1, schedule(1), is_last=True))
    assert await world.facts() == []
    await world.call("CompleteOrchestratorTask", chunk(again, 0, schedule(5), is_last=True))
    assert [fact.seq for fact in await world.facts() if isinstance(fact, ActivityScheduled)] == [5]


async def test_chunks_of_a_turn_that_is_given_back_are_forgotten(world: World) -> None:
    worker, turn = await begun(world)
    await world.call("CompleteOrchestratorTask", chunk(turn, 0, schedule(0)))
    abandon = pb.AbandonOrchestrationTaskRequest(completion_token=turn.completion_token)
    await world.call("AbandonTaskOrchestratorWorkItem", abandon)
    world.clock.skip(1)
    await world.answer(await worker.turn(), schedule(5))
    assert [fact.seq for fact in await world.facts() if isinstance(fact, ActivityScheduled)] == [5]


async def test_chunks_without_end_are_not_gathered_for_ever() -> None:
    async with a_world(limits=Limits(actions_max=10)) as world:
        _, turn = await begun(world)
        for number in range(3):
            await world.call("CompleteOrchestratorTask", chunk(turn, number, *(schedule(seq) for seq in range(6))))
        stored = await world.stored()
        assert stored is not None
        assert stored.record.stall is not None
        assert "one turn asked for 12 actions, at most 10 are allowed" in stored.record.stall.description


# -- what cannot be ----------------------------------------------------------------------------------------------------


async def test_bytes_that_are_no_answer_are_refused_and_change_nothing(world: World) -> None:
    _, turn = await begun(world)
    before = await world.snapshot()
    for method in ("CompleteOrchestratorTask", "CompleteWorkflowTask", "CompleteActivityTask"):
        code, text = await world.refused(method, b"\xff\xff")
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "answer: expected an encoded " in text
    code, text = await world.refused("AbandonTaskOrchestratorWorkItem", b"\xff\xff")
    assert (code, text.partition(":")[0]) == (grpc.StatusCode.INVALID_ARGUMENT, "abandoned work")
    assert await world.snapshot() == before
    await world.answer(turn, complete())


async def test_an_answer_that_cannot_be_read_stalls_the_instance_with_the_reason(world: World) -> None:
    first, turn = await begun(world)
    unknown = turn_answer(turn, pb.OrchestratorAction(id=3))
    code, text = await world.refused("CompleteOrchestratorTask", unknown)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text == "turn answer: expected action 3 to be of a known kind, found none of them"
    stored = await world.stored()
    assert stored is not None
    assert stored.record.stall is not None
    assert (stored.record.stall.reason, stored.record.stall.description) == ("CONTRADICTION", text)
    await first.hang_up()
    worker = await world.worker(MICROSOFT)
    await world.answer(await worker.turn(), complete())
    assert (await world.state()).orchestration_status == Status.COMPLETED


async def test_messages_to_entities_are_refused_by_name(world: World) -> None:
    _, turn = await begun(world)
    action = pb.OrchestratorAction(id=1)
    action.send_entity_message.SetInParent()
    _, text = await world.refused("CompleteOrchestratorTask", turn_answer(turn, action))
    assert "a message to an entity (action 1); none run here" in text


async def test_an_action_that_contradicts_the_history_stalls_and_keeps_what_was_there(world: World) -> None:
    worker, activity = await running(world)
    raised = pb.RaiseEventRequest(instance_id="i", name="paid")
    await world.call("RaiseEvent", raised)
    before = await world.facts()
    await world.answer(await worker.turn(), schedule(1))
    state = await world.state()
    assert state.orchestration_status == Status.RUNNING  # Microsoft's clients have no number for it
    stored = await world.stored()
    assert stored is not None
    assert stored.record.status is Status.STALLED
    assert stored.record.stall is not None
    assert "activity 1 is still unanswered" in stored.record.stall.description
    assert await world.facts() == before
    assert activity.activity_request.task_id == 1


async def test_dapr_is_shown_that_an_instance_stalled_in_its_first_turn(world: World) -> None:
    worker, turn = await begun(world, b"")
    response = dapr_pb2.OrchestratorResponse(instance_id="i", completion_token=turn.completion_token)
    response.actions.add(id=1).orchestrator_version_not_available.SetInParent()
    await world.call("CompleteOrchestratorTask", response)
    assert (await world.state()).orchestration_status == Status.STALLED
    await worker.hang_up()


async def test_a_query_for_what_runs_shows_what_stalled_to_those_that_do_not_know_it(world: World) -> None:
    _, turn = await begun(world)
    await world.refused("CompleteOrchestratorTask", turn_answer(turn, pb.OrchestratorAction(id=3)))
    for statuses, found in (([Status.RUNNING], ["i"]), ([Status.STALLED], []), ([], ["i"]), ([Status.PENDING], [])):
        query = pb.QueryInstancesRequest(query=pb.InstanceQuery(runtime_status=statuses))
        page = pb.QueryInstancesResponse.FromString(await world.call("QueryInstances", query))
        assert [state.instance_id for state in page.orchestration_state] == found
        assert {state.orchestration_status for state in page.orchestration_state} <= {Status.RUNNING}


async def test_a_result_above_the_limit_fails_its_activity() -> None:
    async with a_world(limits=Limits(payload_bytes_max=1000)) as world:
        worker, activity = await running(world)
        await world.call("CompleteActivityTask", activity_answer(activity, "é" * 501))
        await world.answer(await worker.turn(), complete())
        [failed] = [fact for fact in await world.facts() if isinstance(fact, ActivityFailed)]
        assert (failed.failure.kind, failed.failure.is_non_retryable) == ("PayloadTooLarge", True)
        assert "its result has 1002 bytes, at most 1000 are allowed" in failed.failure.message


async def test_a_failure_above_the_limit_is_one_without_its_stack() -> None:
    async with a_world(limits=Limits(payload_bytes_max=1000)) as world:
        worker, activity = await running(world)
        answer = activity_answer(activity)
        answer.failure_details.kind, answer.failure_details.stack.value = "ValueError", "x" * 1000
        await world.call("CompleteActivityTask", answer)
        await world.answer(await worker.turn(), complete())
        [failed] = [fact for fact in await world.facts() if isinstance(fact, ActivityFailed)]
        assert failed.failure.kind == "PayloadTooLarge"
        assert failed.failure.stack is None


# -- durable, or not answered ----------------------------------------------------------------------------------------


async def test_an_activity_is_acknowledged_only_when_its_result_is_durable(world: World) -> None:
    """The store fails the first three times; the worker hears nothing until it has it."""
    _, activity = await running(world)
    world.store.plan = Script({"commit": [FailBefore(), FailBefore(), LoseAnswer()], "load": [FailBefore()]})
    answering = asyncio.ensure_future(world.call("CompleteActivityTask", activity_answer(activity)))
    await until(lambda: len(world.store.happened) >= 2)
    assert not answering.done()
    for _ in range(8):
        world.clock.skip(5)
        await world.call("Hello")
    assert await answering == b""
    stored = await world.stored()
    assert stored is not None
    assert len(stored.inbox) + sum(isinstance(fact, ActivityCompleted) for fact in await world.facts()) == 1


async def test_a_worker_that_hangs_up_while_its_result_is_written_loses_nothing(world: World) -> None:
    worker, activity = await running(world)
    world.store.plan = Script({"commit": [FailBefore()] * 3})
    call = asyncio.ensure_future(world.call("CompleteActivityTask", activity_answer(activity)))
    await until(lambda: len(world.store.happened) >= 1)
    call.cancel()

    async def is_there() -> bool:
        world.clock.skip(5)
        stored = await world.stored()
        return stored is not None and len(stored.inbox) == 1

    await eventually(is_there)
    assert call.cancelled()
    await worker.hang_up()
