"""What a client can do with instances, and what it says when it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import holdfast
from holdfast import Client, Context, Filter, InstanceExists, InstanceNotFound, Status, WrongState
from holdfast_proto.history import ActivityScheduled
from holdfast_proto.v1 import client_pb2 as pb
from tests.integration.sdk.app import LIMIT, App, until


@dataclass
class Parcel:
    weight: int
    label: str = ""


@holdfast.activity
async def weigh(parcel: Parcel) -> int:
    return parcel.weight


@holdfast.workflow
async def echo(ctx: Context, value: Any) -> Any:
    return value


@holdfast.workflow
async def waits(ctx: Context) -> str:
    return await ctx.event("answer", str)


@holdfast.workflow
async def ship(ctx: Context, parcel: Parcel) -> int:
    first = await ctx.call(weigh, parcel)
    await ctx.sleep(0.01)
    return first + await ctx.call(weigh, Parcel(parcel.weight * 10))


class Scales:
    """Broken until repaired."""

    def __init__(self) -> None:
        self.is_broken = True
        self.uses = 0

    @holdfast.activity
    async def use(self, weight: int) -> int:
        self.uses += 1
        if self.is_broken:
            raise RuntimeError("the scales are broken")
        return weight


@holdfast.workflow
async def weighs_twice(ctx: Context) -> int:
    first = await ctx.call(weigh, Parcel(4))
    return first + await ctx.call(Scales.use, 5)


def fresh(name: str) -> str:
    """An id that no other test has."""
    return f"{name}-{datetime.now(UTC).timestamp()}"


# -- starting ----------------------------------------------------------------------------------------------------------


async def test_an_instance_carries_what_it_was_started_with(plain: App) -> None:
    name = fresh("echo")
    async with plain.serving(echo):
        handle = await plain.client.start(echo, {"a": [1, None]}, id=name, version="red", tags={"shop": "Ulm"})
        assert handle.id == name
        assert await handle.result() == {"a": [1, None]}
    instance = await handle.get()
    assert (instance.name, instance.version, instance.tags) == ("echo", "red", {"shop": "Ulm"})
    assert (instance.input, instance.output) == ('{"a":[1,null]}', '{"a":[1,null]}')
    assert instance.result_as(dict[str, list[int | None]]) == {"a": [1, None]}
    assert instance.status is Status.COMPLETED
    assert instance.has_ended
    assert instance.completed_at is not None
    assert instance.started_at is not None
    assert instance.created_at <= instance.started_at <= instance.completed_at


async def test_a_start_by_name_needs_no_declaration_here(plain: App) -> None:
    async with plain.serving(echo):
        assert await plain.client.run("echo", [1, "a"]) == [1, "a"]


async def test_a_start_can_be_held_back(plain: App) -> None:
    async with plain.serving(echo):
        later = await plain.client.start(echo, 1, after=timedelta(milliseconds=200))
        at = await plain.client.start(echo, 2, at=datetime.now(UTC) + timedelta(milliseconds=200))
        far = await plain.client.start(echo, 3, after=3600)
        assert [await handle.result() for handle in (later, at)] == [1, 2]
        for handle in (later, at):
            instance = await handle.get()
            assert instance.started_at is not None
            assert instance.scheduled_at is not None
            assert instance.started_at >= instance.scheduled_at
        assert (await far.get()).status is Status.PENDING
        await far.terminate()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"at": datetime(2030, 1, 1)}, "expected a time zone"),  # noqa: DTZ001
        ({"at": datetime(2030, 1, 1, tzinfo=UTC), "after": 3}, "expected at or after, found both"),
        ({"after": -1}, "from 0 on"),
        ({"if_exists": "ignore"}, 'expected "error", "keep" or "replace"'),
        ({"idd": "x"}, "unknown option 'idd'"),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused_before_anything_is_sent(
    client: Client, options: dict[str, Any], text: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        await client.start(echo, 1, **options)


async def test_what_is_not_declared_cannot_be_started(client: Client) -> None:
    async def plain_function(ctx: Context) -> None: ...

    with pytest.raises(holdfast.UndeclaredError, match=r"decorate it with @holdfast\.workflow"):
        await client.start(plain_function)  # type: ignore[call-overload]


async def test_a_taken_id_is_an_error_or_kept_or_replaced(plain: App) -> None:
    name = fresh("waits")
    async with plain.serving(waits):
        first = await plain.client.start(waits, id=name)
        with pytest.raises(InstanceExists, match=name):
            await plain.client.start(waits, id=name)
        kept = await plain.client.start(waits, id=name, if_exists="keep")
        await kept.send("answer", "a")
        assert await first.result() == await kept.result() == "a"
        again = await plain.client.start(waits, id=name)  # one that has ended makes room
        replacing = await plain.client.start(waits, id=name, if_exists="replace")
        await replacing.send("answer", "b")
        assert await replacing.result() == "b"
        for gone in (first, again):
            with pytest.raises(InstanceNotFound):
                await gone.result()
        with_result = await plain.client.start(waits, id=name, if_exists="keep")
        assert await with_result.result() == "b"


async def test_running_an_id_that_exists_waits_for_that_one(plain: App) -> None:
    name = fresh("echo")
    async with plain.serving(echo):
        both = await asyncio.gather(plain.client.run(echo, 1, id=name), plain.client.run(echo, 2, id=name))
    assert both[0] == both[1]


async def test_many_are_started_in_few_requests(plain: App) -> None:
    async with plain.serving(echo):
        handles = await plain.client.start_many(echo, range(2_100), tags={"of": "many"})
        assert [await handle.result() for handle in handles] == list(range(2_100))
    assert await plain.client.start_many(echo, []) == []
    with pytest.raises(TypeError, match="expected no id"):
        await plain.client.start_many(echo, [1], id="x")


# -- waiting -----------------------------------------------------------------------------------------------------------


async def test_a_deadline_ends_the_waiting_and_not_the_instance(plain: App) -> None:
    async with plain.serving(waits):
        handle = await plain.client.start(waits)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await handle.result()
        assert (await handle.started()).status is Status.RUNNING
        await handle.send("answer", "late")
        assert await handle.result() == "late"


async def test_hundreds_can_wait_for_one(plain: App) -> None:
    async with plain.serving(waits):
        handle = await plain.client.start(waits)
        waiting = [asyncio.ensure_future(handle.result()) for _ in range(500)]
        await handle.started()
        await handle.send("answer", "all")
        assert set(await asyncio.gather(*waiting)) == {"all"}


async def test_a_result_of_another_type_names_the_field(plain: App) -> None:
    @holdfast.workflow(name="echo")
    async def believed(ctx: Context, value: Any) -> Parcel: ...  # type: ignore[empty-body]

    async with plain.serving(echo):
        handle = await plain.client.start(echo, {"weight": "heavy"})
        with pytest.raises(holdfast.PayloadError, match=r"result of echo\(\): expected int at \$\.weight"):
            await plain.client.handle(handle.id, believed).result()
        assert await plain.client.handle(handle.id).result() == {"weight": "heavy"}


async def test_an_instance_that_is_not_there_is_said_to_be_not_there(client: Client) -> None:
    nobody = client.handle("nobody")
    for asked in (nobody.get, nobody.wait, nobody.result, nobody.history, nobody.pause, nobody.rewind, nobody.restart):
        with pytest.raises(InstanceNotFound, match="nobody"):
            await asked()
    with pytest.raises(InstanceNotFound):
        await nobody.send("hello")
    assert await nobody.purge() == 0


# -- looking -----------------------------------------------------------------------------------------------------------


async def test_instances_are_found_by_name_status_id_and_time(plain: App) -> None:
    prefix = fresh("find")
    before = datetime.now(UTC) - timedelta(seconds=1)
    async with plain.serving(echo, waits):
        for number in range(5):
            await plain.client.run(echo, number, id=f"{prefix}-{number}")
        open_one = await plain.client.start(waits, id=f"{prefix}-open")
        await open_one.started()

        async def found(**wanted: Any) -> list[str]:
            return [one.id async for one in plain.client.list(Filter(id_prefix=prefix, **wanted))]

        assert len(await found()) == 6
        assert len(await found(name="echo")) == 5
        assert await found(statuses=[Status.RUNNING]) == [open_one.id]
        assert len(await found(created_from=before, created_to=datetime.now(UTC) + timedelta(seconds=1))) == 6
        assert await found(created_to=before) == []
        assert len(await found(completed_from=before)) == 5
        await open_one.terminate()


async def test_pages_follow_each_other_without_gaps(plain: App) -> None:
    prefix = fresh("page")
    async with plain.serving(echo):
        for number in range(7):
            await plain.client.run(echo, number, id=f"{prefix}-{number}")
    found: list[str] = []
    cursor, sizes = "", list[int]()
    while True:
        page = await plain.client.page(Filter(id_prefix=prefix), limit=3, cursor=cursor, payloads=True)
        found += [f"{one.id}={one.output}" for one in page.instances]
        sizes.append(len(page.instances))
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(found) == [f"{prefix}-{number}={number}" for number in range(7)]
    assert sizes == [3, 3, 1]


@holdfast.workflow
async def long_one(ctx: Context) -> None:
    for _ in range(150):
        await asyncio.gather(*(ctx.call(weigh, Parcel(1)) for _ in range(4)))


async def test_a_long_history_is_read_to_its_end(plain: App) -> None:
    async with plain.serving(long_one, weigh):
        handle = await plain.client.start(long_one)
        await handle.result()
    history = await handle.history()
    assert sum(isinstance(event, ActivityScheduled) for event in history) == 600
    assert len(history) == (await handle.get()).history_length > 500


# -- again and away ----------------------------------------------------------------------------------------------------


async def test_a_failed_instance_is_rewound_and_goes_on_from_what_failed(app: App) -> None:
    scales = Scales()
    async with app.serving(weighs_twice, weigh, scales):
        handle = await app.client.start(weighs_twice)
        with pytest.raises(holdfast.WorkflowFailed, match="broken"):
            await handle.result()
        scales.is_broken = False
        await handle.rewind("repaired")
        assert await handle.result() == 9
    assert scales.uses == 2


async def test_a_restart_runs_the_same_start_again(plain: App) -> None:
    async with plain.serving(echo):
        handle = await plain.client.start(echo, "x", tags={"a": "b"})
        await handle.result()
        again = await handle.restart()
        same = await handle.restart(keeps_id=True)
        assert await again.result() == await same.result() == "x"
        assert again.id != handle.id == same.id
        assert (await again.get()).tags == {"a": "b"}


async def test_a_rerun_begins_with_the_history_up_to_a_step(app: App) -> None:
    async with app.serving(ship, weigh):
        handle = await app.client.start(ship, Parcel(2))
        assert await handle.result() == 22
        rows = [row for row, event in enumerate(await handle.history()) if isinstance(event, ActivityScheduled)]
        again = await handle.rerun(rows[1], id=fresh("rerun"))
        other = await handle.rerun(rows[1], input=Parcel(100))
        assert await again.result() == 22
        assert await other.result() == 102
        with pytest.raises(InstanceNotFound, match="row 0 cannot be rerun"):
            await handle.rerun(0)


async def test_asking_twice_for_the_same_restart_or_rerun_is_asking_once(plain: App) -> None:
    async with plain.serving(ship, weigh):
        handle = await plain.client.start(ship, Parcel(2))
        await handle.result()
        for request in (
            pb.Request(restart=pb.RestartRequest(instance_id=handle.id, execution_id=fresh("run"))),
            pb.Request(restart=pb.RestartRequest(instance_id=handle.id, execution_id=fresh("run"), keeps_id=True)),
            pb.Request(rerun=pb.RerunRequest(instance_id=handle.id, from_row=2, execution_id=fresh("run"))),
        ):
            one, other = await plain.client.ask(request), await plain.client.ask(request)
            assert one.started.instance_id == other.started.instance_id
            assert await plain.client.handle(one.started.instance_id).result() == 22


async def test_purging_deletes_what_has_ended_and_nothing_else(plain: App) -> None:
    prefix = fresh("purge")
    async with plain.serving(echo, waits):
        ended = await plain.client.start(echo, 1, id=f"{prefix}-1")
        await ended.result()
        await plain.client.run(echo, 2, id=f"{prefix}-2")
        running = await plain.client.start(waits, id=f"{prefix}-3")
        await running.started()
        with pytest.raises(WrongState, match="not yet completed"):
            await running.purge()
        assert await ended.purge() == 1
        with pytest.raises(InstanceNotFound):
            await ended.get()
        assert await plain.client.purge(Filter(id_prefix=prefix)) == 1
        assert await running.purge(force=True) == 1
        assert [one.id async for one in plain.client.list(Filter(id_prefix=prefix))] == []


# -- what a client says of itself --------------------------------------------------------------------------------------


async def test_a_client_that_is_not_open_says_how_to_open_it(address: str) -> None:
    client = Client(address)
    with pytest.raises(holdfast.SidecarUnavailable, match="async with"):
        await client.get("x")
    async with client:
        with pytest.raises(holdfast.HoldfastError, match="open already"):
            await client.__aenter__()
    with pytest.raises(holdfast.SidecarUnavailable, match="async with"):
        await client.get("x")


async def test_closing_a_client_ends_its_waiting(plain: App, address: str) -> None:
    async with plain.serving(waits):
        handle = await plain.client.start(waits)
        async with Client(address) as other, asyncio.TaskGroup() as group:
            waiting = group.create_task(expect_unavailable(other, handle.id))
            await asyncio.sleep(0.05)
            await other.close()
            async with asyncio.timeout(LIMIT):
                await waiting
        await handle.terminate()


async def expect_unavailable(client: Client, id: str) -> None:
    with pytest.raises(holdfast.SidecarUnavailable, match="closed before the answer came"):
        await client.handle(id).result()


def test_a_client_of_another_loop_is_refused(address: str) -> None:
    async def use(client: Client) -> None:
        with pytest.raises(holdfast.HoldfastError, match="belongs to another event loop"):
            await client.get("x")

    async def main() -> None:
        async with Client(address) as client:
            await asyncio.to_thread(asyncio.run, use(client))

    asyncio.run(main())


@pytest.mark.parametrize("address", ["localhost", "https://localhost:50001", ":50001", "localhost:http"])
def test_an_address_that_makes_no_sense_is_refused_where_it_is_given(address: str) -> None:
    with pytest.raises(holdfast.HoldfastError, match="expected host:port"):
        Client(address)
    with pytest.raises(holdfast.HoldfastError, match="expected host:port"):
        holdfast.Worker(echo, address=address)


async def test_an_event_for_one_that_has_ended_changes_nothing(plain: App) -> None:
    async with plain.serving(echo):
        handle = await plain.client.start(echo, 1)
        await handle.result()
        await handle.send("late", 1)
        assert await handle.result() == 1
        await until(handle, lambda instance: instance.has_ended)
