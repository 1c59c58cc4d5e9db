"""Whatever frames come on the native streams: they are taken, or the stream ends with a name; the sidecar serves on."""

from __future__ import annotations

from typing import Final

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast_proto.v1 import client_pb2
from holdfast_proto.v1 import worker_pb2 as pb
from tests.unit.sidecar.api.fuzz import messages, torn
from tests.unit.sidecar.api.native.ends import ClientEnd, WorkerEnd, a_worker, schedule
from tests.unit.sidecar.api.world import World, a_world

_FUZZ: Final = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
_ENDINGS: Final = {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


async def has_named_end(worker: WorkerEnd) -> bool:
    """The client's library makes up an end of its own when it writes while the stream is ending."""
    return await worker.code() in _ENDINGS or await worker.details() == "Internal error from Core"


def bytes_of(kind: type[pb.WorkerFrame] | type[client_pb2.CallFrame]) -> st.SearchStrategy[list[bytes]]:
    return st.lists(st.one_of(messages(kind), torn(messages(kind)), st.binary(max_size=30)), max_size=3)


@_FUZZ
@given(frames=bytes_of(pb.WorkerFrame))
async def test_whatever_a_worker_sends_its_stream_ends_with_a_name_at_most(world: World, frames: list[bytes]) -> None:
    worker = await a_worker(world)
    for data in frames:
        await worker.try_to_send(data)
    await worker.try_to_hang_up()
    assert await has_named_end(worker)
    assert await world.call("Hello") == b""


@_FUZZ
@given(done=messages(pb.TurnDone), activity=messages(pb.ActivityDone), step=messages(pb.FusedStep))
async def test_whatever_a_worker_answers_to_what_it_was_sent_is_taken(
    done: bytes, activity: bytes, step: bytes
) -> None:
    """With the tokens of real work, so that each is looked at to its end."""
    async with a_world() as world:
        worker = await a_worker(world)
        await world.start()
        turn = await worker.turn()
        await worker.answer(turn, schedule(0), schedule(1), is_cached=True)
        first, second = await worker.activity(), await worker.activity()
        result = pb.ActivityDone.FromString(activity)
        result.token = first.token
        fused = pb.FusedStep.FromString(step)
        fused.turn_token, fused.based_on = turn.token, 4
        fused.results.add(token=second.token)
        await world.start("other")
        answer = pb.TurnDone.FromString(done)
        answer.token = (await worker.turn()).token
        await worker.send(pb.WorkerFrame(turns=[answer], fused=[fused], activities=[result]))
        await worker.try_to_hang_up()
        assert await has_named_end(worker)
        assert await world.call("Hello") == b""


@_FUZZ
@given(frames=bytes_of(client_pb2.CallFrame))
async def test_whatever_a_client_sends_is_answered_or_ends_the_stream_by_name(
    world: World, frames: list[bytes]
) -> None:
    client = ClientEnd(world)
    for data in frames:
        await client.try_to_send(data)
    client.break_off()
    assert await world.call("Hello") == b""


@_FUZZ
@given(data=messages(client_pb2.Request))
async def test_every_request_is_answered_without_an_error_of_ours(world: World, data: bytes) -> None:
    request = client_pb2.Request.FromString(data)
    request.id, request.timeout_ms = 1, 1
    client = ClientEnd(world)
    reply = await client.ask(request)
    assert reply.error.kind != client_pb2.Error.INTERNAL, reply
    assert not reply.HasField("error") or (reply.error.code and reply.error.text)
    client.break_off()
