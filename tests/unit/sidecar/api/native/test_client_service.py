"""The client service: many requests over one stream, each answered by itself, and the same one at a time."""

from __future__ import annotations

import grpc
import pytest

from holdfast_proto.history import Status
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.api.native.calls import HISTORY_MAX, LIST_MAX, STARTS_MAX
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.stores.faults import FailBefore, Script
from tests.unit.sidecar.api.native.ends import ClientEnd, a_worker, complete, schedule
from tests.unit.sidecar.api.world import DEADLINE, NAMESPACE, World, a_world, eventually, until


def start(request_id: int = 1, instance_id: str = "i", **fields: object) -> pb.Request:
    asked = pb.StartRequest(name="order", instance_id=instance_id, **fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return pb.Request(id=request_id, start=asked)


def get(request_id: int = 1, instance_id: str = "i") -> pb.Request:
    return pb.Request(id=request_id, get=pb.GetRequest(instance_id=instance_id, with_payloads=True))


def wait(request_id: int = 1, instance_id: str = "i", *, timeout_ms: int = 0, **fields: object) -> pb.Request:
    asked = pb.WaitRequest(instance_id=instance_id, **fields)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return pb.Request(id=request_id, wait=asked, timeout_ms=timeout_ms)


async def ended(world: World, instance_id: str = "i", status: Status = Status.COMPLETED) -> None:
    """An instance that ran one activity and ended so."""
    worker = await a_worker(world)
    await world.start(instance_id)
    await worker.answer(await worker.turn(), schedule(0))
    await worker.finish(await worker.activity())
    action = complete()
    action.complete_workflow.status = status
    await worker.answer(await worker.turn(), action)
    await worker.hang_up()

    async def has_ended() -> bool:
        stored = await world.stored(instance_id)
        return stored is not None and stored.record.status is status

    await eventually(has_ended)


async def once(world: World, request: pb.Request | bytes) -> pb.Reply:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = world.channel.unary_unary(
        "/holdfast.v1.Client/Once", None, None
    )
    data = request if isinstance(request, bytes) else request.SerializeToString()
    return pb.Reply.FromString(await method(data, timeout=DEADLINE))


# -- the stream ------------------------------------------------------------------------------------------------------


async def test_many_requests_of_one_frame_are_answered_each_under_its_id(world: World) -> None:
    client = ClientEnd(world)
    await client.send(*(start(number, f"i{number}") for number in range(1, 301)), namespace=NAMESPACE)
    replies = [await client.reply(number) for number in range(1, 301)]
    assert [reply.started.instance_id for reply in replies] == [f"i{number}" for number in range(1, 301)]


async def test_a_long_wait_holds_nobody_up(world: World) -> None:
    client = ClientEnd(world)
    assert (await client.ask(start(1))).started.instance_id == "i"
    await client.send(wait(2, with_payloads=True))
    assert (await client.ask(get(3))).found.instance.status == Status.PENDING
    worker = await a_worker(world)
    await worker.answer(await worker.turn(), complete())
    assert (await client.reply(2)).found.instance.output == '"ok"'


async def test_one_request_at_a_time_is_served_too(world: World) -> None:
    assert (await once(world, start())).started.instance_id == "i"
    assert (await once(world, get())).found.instance.name == "order"
    assert (await once(world, pb.Request(id=7))).error.code == "InvalidRequest"


@pytest.mark.parametrize("request_id", [0, 5])
async def test_an_id_that_cannot_be_is_refused(world: World, request_id: int) -> None:
    await world.start()
    client = ClientEnd(world)
    await client.send(wait(5), get(request_id))
    reply = await client.reply(request_id)
    assert (reply.error.kind, reply.error.code) == (pb.Error.INVALID, "InvalidRequest")
    assert f"request id {request_id}: expected one that is not 0 and not in use" in reply.error.text


async def test_a_request_for_nothing_that_is_known_is_refused(world: World) -> None:
    reply = await ClientEnd(world).ask(pb.Request(id=3))
    assert "request 3: it asks for nothing that this sidecar knows" in reply.error.text


async def test_a_canceled_wait_is_answered_and_its_id_is_free_again(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    await client.send(wait(5))
    await until(lambda: len(world.host.watchers) == 1)
    cancel = pb.Request(id=6, cancel=pb.CancelRequest(request_id=5))
    await client.send(cancel, wait(5))
    assert (await client.reply(5)).error.kind == pb.Error.CANCELED
    assert (await client.reply(6)).HasField("done")
    await until(lambda: len(world.host.watchers) == 1)
    await client.send(pb.Request(id=8, cancel=pb.CancelRequest(request_id=5)))
    assert (await client.reply(5)).error.code == "Canceled"
    await until(lambda: len(world.host.watchers) == 0)


async def test_to_cancel_what_is_not_there_is_done_at_once(world: World) -> None:
    reply = await ClientEnd(world).ask(pb.Request(id=1, cancel=pb.CancelRequest(request_id=9)))
    assert reply.HasField("done")


async def test_a_client_that_goes_takes_its_waits_with_it(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    await client.send(*(wait(number) for number in range(1, 21)))
    await until(lambda: len(world.host.watchers) == 20)
    client.break_off()
    await until(lambda: len(world.host.watchers) == 0)


async def test_a_client_that_hangs_up_still_hears_the_answers(world: World) -> None:
    client = ClientEnd(world)
    await client.send(start(1), start(2, "j"))
    await client.hang_up()
    assert (await client.reply(1)).HasField("started")
    assert (await client.reply(2)).HasField("started")
    assert not await client.read()
    assert await client.code() is grpc.StatusCode.OK


async def test_another_namespace_is_refused_for_the_whole_stream(world: World) -> None:
    client = ClientEnd(world)
    await client.send(start(1), namespace="elsewhere")
    await client.send(start(2, "j"))
    for request_id in (1, 2):
        error = (await client.reply(request_id)).error
        assert error.kind == pb.Error.INVALID
        assert "namespace 'elsewhere': this sidecar serves 'shop'" in error.text
    assert await world.snapshot() == []


async def test_bytes_that_are_no_frame_end_the_stream_by_name(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    await client.send(get(1), wait(2))
    assert (await client.reply(1)).HasField("found")
    await client.send_bytes(b"\xff\xff")
    assert not await client.read()
    assert await client.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "expected an encoded CallFrame, found 2 bytes of another form" in await client.details()
    await until(lambda: len(world.host.watchers) == 0)


async def test_bytes_that_are_no_request_are_refused_by_name(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await once(world, b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "expected an encoded Request" in (caught.value.details() or "")


async def test_a_sidecar_that_drains_tells_its_clients_to_go(world: World) -> None:
    await world.start()
    client, late = ClientEnd(world), ClientEnd(world)
    await client.send(wait(1))
    await until(lambda: len(world.host.watchers) == 1)
    world.clients.drain()
    for one in (client, late):
        while await one.read():
            pass
        assert one.is_draining
        assert await one.code() is grpc.StatusCode.OK
    await until(lambda: len(world.host.watchers) == 0)


# -- start -----------------------------------------------------------------------------------------------------------


async def test_a_start_tells_whose_it_is_and_repeating_it_changes_nothing(world: World) -> None:
    client = ClientEnd(world)
    first = await client.ask(start(1, execution_id="e"))
    before = await world.snapshot()
    again = await client.ask(start(2, execution_id="e"))
    assert first.started == again.started
    assert first.started.execution_id == "e"
    assert await world.snapshot() == before
    other = await client.ask(start(3, execution_id="f"))
    assert (other.error.kind, other.error.code) == (pb.Error.EXISTS, "InstanceExists")


async def test_a_start_may_say_what_becomes_of_the_one_that_has_the_id(world: World) -> None:
    client = ClientEnd(world)
    await client.ask(start(1))
    kept = await client.ask(start(2, reuse=pb.Reuse(kept=[Status.PENDING])))
    assert kept.started.instance_id == "i"
    replaced = await client.ask(start(3, execution_id="new", reuse=pb.Reuse(replaceable=[Status.PENDING])))
    assert replaced.started.execution_id == "new"
    assert (await client.ask(get(4))).found.instance.execution_id == "new"
    wrong = await client.ask(start(5, reuse=pb.Reuse(kept=[77])))
    assert "status: expected some of 0 RUNNING" in wrong.error.text
    assert wrong.error.text.endswith("found 77")


async def test_of_many_starts_those_that_fail_leave_the_others(world: World) -> None:
    await world.start("taken")
    starts = [
        pb.StartRequest(name="order", instance_id="a"),
        pb.StartRequest(name="", instance_id="b"),
        pb.StartRequest(name="order", instance_id="taken"),
        pb.StartRequest(name="order", instance_id="x" * 300),
        pb.StartRequest(name="order"),
    ]
    reply = await ClientEnd(world).ask(pb.Request(id=1, start_many=pb.StartManyRequest(starts=starts)))
    outcomes = reply.started_many.outcomes
    assert [outcome.WhichOneof("kind") for outcome in outcomes] == ["started", "error", "error", "error", "started"]
    codes = [outcome.error.code for outcome in outcomes]
    assert codes == ["", "InvalidRequest", "InstanceExists", "InvalidInstanceId", ""]
    assert len(await world.snapshot()) == 3


async def test_more_starts_than_one_request_may_have_are_refused_whole(world: World) -> None:
    starts = [pb.StartRequest(name="order")] * (STARTS_MAX + 1)
    reply = await ClientEnd(world).ask(pb.Request(id=1, start_many=pb.StartManyRequest(starts=starts)))
    assert f"expected at most {STARTS_MAX} starts, found {STARTS_MAX + 1}; split it" in reply.error.text
    assert await world.snapshot() == []


# -- look ------------------------------------------------------------------------------------------------------------


async def test_an_unknown_instance_is_found_as_nothing(world: World) -> None:
    reply = await ClientEnd(world).ask(get())
    assert reply.HasField("found")
    assert not reply.found.HasField("instance")


async def test_a_stalled_instance_shows_why(world: World) -> None:
    worker = await a_worker(world)
    await world.start()
    await worker.answer(await worker.turn(), schedule(0), schedule(0))
    await until(lambda: "i" in world.host.stalled)
    client = ClientEnd(world)

    async def shows() -> bool:
        return (await client.ask(get())).found.instance.status == Status.STALLED

    await eventually(shows)
    instance = (await client.ask(get())).found.instance
    assert (instance.stall.reason, instance.stall.attempts) == ("CONTRADICTION", 1)
    assert "still unanswered" in instance.stall.description


async def test_a_wait_ends_with_the_instance_as_it_is_when_its_time_is_over(world: World) -> None:
    await world.start()
    reply = await ClientEnd(world).ask(wait(timeout_ms=1))
    assert reply.found.timed_out
    assert reply.found.instance.status == Status.PENDING
    assert len(world.host.watchers) == 0


async def test_a_wait_is_for_the_run_that_it_names(world: World) -> None:
    client = ClientEnd(world)
    await client.ask(start(1, execution_id="mine"))
    await client.send(wait(2, execution_id="mine"))
    await until(lambda: len(world.host.watchers) == 1)
    await client.ask(start(3, execution_id="other", reuse=pb.Reuse(replaceable=[Status.PENDING])))
    assert (await client.ask(wait(4, execution_id="mine", timeout_ms=1))).error.code == "InstanceNotFound"
    worker = await a_worker(world)
    await worker.answer(await worker.turn(), complete())
    assert (await client.reply(2)).error.kind == pb.Error.NOT_FOUND


async def test_a_wait_for_the_start_ends_with_the_first_turn(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    await client.send(wait(1, until=pb.WaitRequest.STARTED))
    worker = await a_worker(world)
    await worker.answer(await worker.turn(), schedule(0))
    assert (await client.reply(1)).found.instance.status == Status.RUNNING


async def test_a_list_is_filtered_and_given_page_by_page(world: World) -> None:
    for number in range(5):
        await world.start(f"a{number}")
    await world.start("b0", "refund")
    client, found, cursor = ClientEnd(world), list[str](), ""
    for number in range(1, 4):
        listed = pb.ListRequest(filter=pb.InstanceFilter(id_prefix="a"), limit=2, cursor=cursor)
        page = (await client.ask(pb.Request(id=number, list=listed))).page
        found += [instance.instance_id for instance in page.instances]
        cursor = page.cursor
    assert (found, cursor) == ([f"a{number}" for number in range(5)], "")
    for wanted, expected in (
        (pb.InstanceFilter(name="refund"), ["b0"]),
        (pb.InstanceFilter(statuses=[Status.COMPLETED]), []),
        (pb.InstanceFilter(created_to=1), []),
    ):
        page = (await client.ask(pb.Request(id=9, list=pb.ListRequest(filter=wanted, limit=LIST_MAX + 1)))).page
        assert [instance.instance_id for instance in page.instances] == expected


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (pb.InstanceFilter(tags={"a": "b"}), "filter by tags: this sidecar has no index of tags"),
        (pb.InstanceFilter(statuses=[99]), "found 99"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(world: World, wanted: pb.InstanceFilter, text: str) -> None:
    reply = await ClientEnd(world).ask(pb.Request(id=1, list=pb.ListRequest(filter=wanted)))
    assert reply.error.kind == pb.Error.INVALID
    assert text in reply.error.text


async def test_a_cursor_that_no_page_gave_is_refused(world: World) -> None:
    reply = await ClientEnd(world).ask(pb.Request(id=1, list=pb.ListRequest(cursor="?")))
    assert reply.error.kind == pb.Error.INVALID


async def test_a_history_is_given_page_by_page(world: World) -> None:
    await ended(world)
    client, kinds, rows = ClientEnd(world), list[str | None](), [0]
    for number in (1, 2):
        asked = pb.HistoryRequest(instance_id="i", from_row=rows[-1], limit=4)
        page = (await client.ask(pb.Request(id=number, history=asked))).history
        kinds += [event.WhichOneof("kind") for event in page.events]
        rows.append(page.next_row)
    assert (rows, len(kinds), kinds[-1]) == ([0, 4, 0], 6, "workflow_completed")
    beyond = pb.HistoryRequest(instance_id="i", from_row=100, limit=HISTORY_MAX + 1)
    page = (await client.ask(pb.Request(id=20, history=beyond))).history
    assert (len(page.events), page.next_row, page.generation) == (0, 0, 1)


async def test_the_history_of_an_unknown_instance_is_not_found(world: World) -> None:
    reply = await ClientEnd(world).ask(pb.Request(id=1, history=pb.HistoryRequest(instance_id="i")))
    assert (reply.error.kind, reply.error.code) == (pb.Error.NOT_FOUND, "InstanceNotFound")


# -- steer -----------------------------------------------------------------------------------------------------------


async def test_an_instance_is_paused_resumed_told_and_ended(world: World) -> None:
    await world.start()
    client, seen = ClientEnd(world), list[int]()
    requests = [
        pb.Request(id=1, pause=pb.PauseRequest(instance_id="i", reason="lunch")),
        pb.Request(id=2, resume=pb.ResumeRequest(instance_id="i")),
        pb.Request(id=3, raise_event=pb.RaiseEventRequest(instance_id="i", name="paid", input="1")),
        pb.Request(id=4, terminate=pb.TerminateCall(instance_id="i", output='"stop"')),
    ]
    for request in requests:
        assert (await client.ask(request)).HasField("done")
        seen.append((await client.ask(get(9))).found.instance.status)
    assert seen == [Status.SUSPENDED, Status.PENDING, Status.PENDING, Status.TERMINATED]
    assert (await client.ask(get(10))).found.instance.output == '"stop"'


async def test_the_same_event_twice_is_one_event(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    for number in (1, 2):
        event = pb.RaiseEventRequest(instance_id="i", name="paid", source="s")
        assert (await client.ask(pb.Request(id=number, raise_event=event))).HasField("done")
    stored = await world.stored()
    assert stored is not None
    assert len(stored.inbox) == 2


async def test_ended_instances_are_purged_by_id_and_by_filter(world: World) -> None:
    for instance_id in ("a", "b"):
        await ended(world, instance_id)
    await world.start("runs")
    client = ClientEnd(world)
    refused = await client.ask(pb.Request(id=1, purge=pb.PurgeRequest(instance_ids=["runs"])))
    assert (refused.error.kind, refused.error.code) == (pb.Error.WRONG_STATE, "WrongState")
    for purge, count in (
        (pb.PurgeRequest(instance_ids=["a", "unknown"]), 1),
        (pb.PurgeRequest(filter=pb.InstanceFilter()), 1),
        (pb.PurgeRequest(instance_ids=["runs"], is_forced=True), 1),
    ):
        purged = (await client.ask(pb.Request(id=2, purge=purge))).purged
        assert (purged.count, purged.is_complete) == (count, True)
    assert await world.snapshot() == []


async def test_a_failed_instance_is_rewound_restarted_and_run_again_from_a_row(world: World) -> None:
    await ended(world, status=Status.FAILED)
    client = ClientEnd(world)
    rerun = pb.RerunRequest(instance_id="i", from_row=2, new_instance_id="j", input="7", overwrites_input=True)
    assert (await client.ask(pb.Request(id=1, rerun=rerun))).started.instance_id == "j"
    restart = pb.RestartRequest(instance_id="i")
    copy = (await client.ask(pb.Request(id=2, restart=restart))).started
    assert copy.instance_id not in ("", "i")
    assert (await client.ask(pb.Request(id=3, rewind=pb.RewindRequest(instance_id="i")))).HasField("done")
    again = await client.ask(pb.Request(id=4, rewind=pb.RewindRequest(instance_id="i")))
    assert again.error.kind == pb.Error.WRONG_STATE


@pytest.mark.parametrize("row", [0, 1, 99])
async def test_a_row_that_asked_for_nothing_cannot_be_run_again(world: World, row: int) -> None:
    await ended(world)
    rerun = pb.RerunRequest(instance_id="i", from_row=row)
    error = (await ClientEnd(world).ask(pb.Request(id=1, rerun=rerun))).error
    assert (error.kind, error.code) == (pb.Error.NOT_FOUND, "EventNotFound")
    assert f"row {row} cannot be rerun; expected an activity, a timer or a child" in error.text


@pytest.mark.parametrize(
    "request_",
    [
        pb.Request(id=1, raise_event=pb.RaiseEventRequest(instance_id="unknown", name="e")),
        pb.Request(id=1, pause=pb.PauseRequest(instance_id="unknown")),
        pb.Request(id=1, resume=pb.ResumeRequest(instance_id="unknown")),
        pb.Request(id=1, rewind=pb.RewindRequest(instance_id="unknown")),
        pb.Request(id=1, restart=pb.RestartRequest(instance_id="unknown")),
        pb.Request(id=1, rerun=pb.RerunRequest(instance_id="unknown")),
        pb.Request(id=1, wait=pb.WaitRequest(instance_id="unknown")),
    ],
)
async def test_what_is_asked_of_an_unknown_instance_is_not_found(world: World, request_: pb.Request) -> None:
    error = (await ClientEnd(world).ask(request_)).error
    assert (error.kind, error.code) == (pb.Error.NOT_FOUND, "InstanceNotFound")
    assert await world.snapshot() == []


async def test_limits_and_faults_have_their_own_kinds() -> None:
    async with a_world(limits=Limits(payload_bytes_max=1000)) as world:
        client = ClientEnd(world)
        large = await client.ask(start(1, input="x" * 1001))
        assert (large.error.kind, large.error.code) == (pb.Error.INVALID, "PayloadTooLarge")
        world.store.plan = Script({"view": [FailBefore()]})
        down = await client.ask(get(2))
        assert (down.error.kind, down.error.code) == (pb.Error.UNAVAILABLE, "Unavailable")


# -- a start and the wait for its end in one -------------------------------------------------------------------------


def run(request_id: int = 1, instance_id: str = "i", *, timeout_ms: int = 0, **fields: object) -> pb.Request:
    request = start(request_id, instance_id, **fields)
    return pb.Request(id=request_id, run=pb.RunRequest(start=request.start), timeout_ms=timeout_ms)


async def test_a_run_is_answered_by_its_outcome(world: World) -> None:
    client, worker = ClientEnd(world), await a_worker(world)
    await client.send(run(execution_id="x"))
    await worker.answer(await worker.turn(), complete())
    outcome = (await client.reply(1)).outcome
    assert (outcome.instance_id, outcome.execution_id, outcome.name) == ("i", "x", "order")
    assert (outcome.status, outcome.output) == (Status.COMPLETED, '"ok"')


async def test_a_run_that_is_repeated_is_one_run_also_without_an_id(world: World) -> None:
    client, worker = ClientEnd(world), await a_worker(world)
    await client.send(run(1, "", execution_id="x"))
    turn = await worker.turn()
    again = ClientEnd(world)
    await again.send(run(1, "", execution_id="x"))
    await worker.answer(turn, complete())
    assert [(await one.reply(1)).outcome.instance_id for one in (client, again)] == ["x", "x"]


async def test_a_run_of_an_id_that_is_taken_is_refused_or_waits_with_the_other(world: World) -> None:
    await world.start()
    client = ClientEnd(world)
    assert (await client.ask(run(1, execution_id="y"))).error.code == "InstanceExists"
    await client.send(run(2, execution_id="y", reuse=pb.Reuse(kept=[int(status) for status in Status])))
    worker = await a_worker(world)
    await worker.answer(await worker.turn(), complete())
    outcome = (await client.reply(2)).outcome
    assert outcome.status == Status.COMPLETED
    assert outcome.execution_id != "y"


async def test_a_run_whose_time_is_up_is_answered_with_how_it_stands(world: World) -> None:
    outcome = (await ClientEnd(world).ask(run(timeout_ms=1))).outcome
    assert outcome.status == Status.PENDING


async def test_a_brief_wait_gives_the_outcome_only(world: World) -> None:
    await ended(world, status=Status.FAILED)
    reply = await ClientEnd(world).ask(wait(is_brief=True))
    assert reply.outcome.status == Status.FAILED
    assert (await ClientEnd(world).ask(wait(is_brief=True, execution_id="other"))).error.code == "InstanceNotFound"
