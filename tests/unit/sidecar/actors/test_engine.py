"""The methods behind every way in: what they wait for, what they refuse, what they leave."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, StartChild
from holdfast_proto.history import Status
from holdfast_sidecar.actors.engine import ASK_TIMEOUT, Purged, StartRequest
from holdfast_sidecar.actors.host import Bounds
from holdfast_sidecar.core.errors import (
    HoldfastError,
    InstanceNotFound,
    InvalidInstanceId,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    Unavailable,
    WrongState,
)
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.state import Filter, View
from holdfast_sidecar.stores.faults import FailBefore, Slow
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import ID, SUSPEND, activity, event, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
REQUEST = StartRequest(name="order", instance_id=ID, input='"x"', tags={"a": "b"}, version="v1")


def ended(house: House, instance_id: str = ID) -> str:
    house.tell(start(instance_id, f"run-{instance_id}"))
    house.turn(COMPLETE, instance_id=instance_id)
    return instance_id


def test_a_start_gives_back_the_id_once_it_is_durable(house: House) -> None:
    assert house.loop.play(house.engine.start(REQUEST)) == ID
    assert house.status() is Status.PENDING


def test_a_start_without_an_id_makes_one(house: House) -> None:
    made = house.loop.play(house.engine.start(replace(REQUEST, instance_id="")))
    assert house.status(made) is Status.PENDING


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (replace(REQUEST, instance_id="x" * 257), InvalidInstanceId),
        (replace(REQUEST, instance_id="a\x00b"), InvalidInstanceId),
        (replace(REQUEST, name=""), InvalidRequest),
        (replace(REQUEST, input="x" * 200), PayloadTooLarge),
    ],
)
def test_a_bad_start_is_named_and_changes_nothing(request_: StartRequest, error: type[HoldfastError]) -> None:
    with House(limits=Limits(payload_bytes_max=100)) as house:
        with pytest.raises(error):
            house.loop.play(house.engine.start(request_))
        assert house.memory.cells == {}


def test_an_overloaded_host_refuses_starts() -> None:
    with House(bounds=Bounds(actors_max=-1)) as house, pytest.raises(Overloaded):
        house.loop.play(house.engine.start(REQUEST))


def test_a_caller_that_hangs_up_does_not_stop_the_work(house: House) -> None:
    house.fail({"commit": [Slow(before=5.0)]})

    async def impatient() -> None:
        async with asyncio.timeout(1.0):
            await house.engine.start(REQUEST)

    with pytest.raises(TimeoutError):
        house.loop.play(impatient())
    house.advance(5.0)
    assert house.status() is Status.PENDING


def test_a_caller_is_told_when_nothing_answers(house: House) -> None:
    house.fail({"commit": [Slow(before=ASK_TIMEOUT * 2)]})
    with pytest.raises(Unavailable, match="not known"):
        house.loop.play(house.engine.start(REQUEST))


def waiting(house: House, *, for_end: bool) -> asyncio.Task[View | None]:
    task = house.loop.create_task(house.engine.wait(ID, for_end=for_end))
    house.loop.settle()
    return task


def test_waiting_for_nobody_is_over_at_once(house: House) -> None:
    assert house.loop.play(house.engine.wait(ID, for_end=True)) is None


def test_waiting_for_a_start_ends_with_the_first_turn(house: House) -> None:
    house.tell(start())
    task = waiting(house, for_end=False)
    assert not task.done()
    house.turn()
    assert task.done()
    assert waiting(house, for_end=False).done()


def test_waiting_for_an_end_ends_with_it(house: House) -> None:
    house.tell(start())
    task = waiting(house, for_end=True)
    house.turn(activity(0))
    assert not task.done()
    house.answer(0)
    house.turn(replace(COMPLETE, result='"done"'))
    view = task.result()
    assert view is not None
    assert view == house.loop.play(house.engine.get(ID))


def test_waiting_for_what_is_awake_here_needs_no_store(house: House) -> None:
    house.tell(start())
    house.fail({"view": [Slow(before=1e6)] * 2})
    task = waiting(house, for_end=True)
    house.turn(replace(COMPLETE, result='"done"'))
    view = task.result()
    assert view is not None
    assert view.record.status is Status.COMPLETED


def test_waiting_ends_when_the_instance_is_purged(house: House) -> None:
    house.tell(start())
    task = waiting(house, for_end=True)
    house.loop.play(house.engine.purge(ID, is_forced=True))
    assert task.result() is None


def test_whoever_stops_waiting_leaves_nothing_behind(house: House) -> None:
    house.tell(start())
    task = waiting(house, for_end=True)
    task.cancel()
    house.loop.settle()
    assert ID not in house.host.watchers


def test_events_reach_only_what_exists(house: House) -> None:
    with pytest.raises(InstanceNotFound):
        house.loop.play(house.engine.raise_event(ID, "paid"))
    with pytest.raises(InvalidRequest):
        house.loop.play(house.engine.raise_event(ID, ""))


def test_suspend_resume_terminate_show_at_once(house: House) -> None:
    house.tell(start())
    house.loop.play(house.engine.suspend(ID, reason="audit"))
    assert house.status() is Status.SUSPENDED
    house.loop.play(house.engine.resume(ID))
    assert house.status() is Status.PENDING
    house.loop.play(house.engine.terminate(ID, output='"stop"'))
    assert house.status() is Status.TERMINATED


def test_a_purge_counts_what_went(house: House) -> None:
    assert house.loop.play(house.engine.purge(ID)) == Purged(0)
    ended(house)
    assert house.loop.play(house.engine.purge(ID)) == Purged(1)
    house.tell(start())
    with pytest.raises(WrongState):
        house.loop.play(house.engine.purge(ID))
    assert house.loop.play(house.engine.purge(ID, is_forced=True)) == Purged(1)


def family(house: House) -> None:
    """order-7 with the children kid-0 and kid-1, the first of them with a child of its own; all ended."""
    house.tell(start())
    house.turn(*(StartChild(seq=seq, instance_id=f"kid-{seq}", name="ship") for seq in range(2)))
    house.turn(StartChild(seq=0, instance_id="grandkid", name="ship"), instance_id="kid-0")
    for instance_id in ("grandkid", "kid-0", "kid-1"):
        house.turn(COMPLETE, instance_id=instance_id)
        house.advance(1.0)
    house.turn(COMPLETE)
    house.advance(1.0)


def test_a_recursive_purge_takes_the_whole_family(house: House) -> None:
    family(house)
    assert house.loop.play(house.engine.purge(ID, recurse=True)) == Purged(4)
    assert house.memory.cells == {}


def test_a_recursive_purge_leaves_strangers_that_have_a_childs_id(house: House) -> None:
    family(house)
    house.loop.play(house.engine.purge("kid-1"))
    ended(house, "kid-1")
    assert house.loop.play(house.engine.purge(ID, recurse=True)) == Purged(3)
    assert list(house.memory.cells) == ["kid-1"]


def test_a_recursive_purge_of_instances_that_name_each_other_ends(house: House) -> None:
    house.tell(start())
    house.turn(StartChild(seq=0, instance_id="kid", name="ship"))
    house.turn(StartChild(seq=0, instance_id=ID, name="order"), instance_id="kid")
    house.turn(COMPLETE, instance_id="kid")
    house.advance(1.0)
    house.turn(COMPLETE)
    house.advance(1.0)
    assert house.loop.play(house.engine.purge(ID, recurse=True)) == Purged(2)


def test_a_recursive_purge_takes_nobody_while_a_descendant_runs(house: House) -> None:
    house.tell(start())
    house.turn(StartChild(seq=0, instance_id="kid", name="ship"))
    house.tell(event())
    house.turn(COMPLETE)
    house.advance(1.0)
    with pytest.raises(WrongState, match="kid"):
        house.loop.play(house.engine.purge(ID, recurse=True))
    assert sorted(house.memory.cells) == ["kid", ID]
    assert house.loop.play(house.engine.purge(ID, recurse=True, is_forced=True)) == Purged(2)


def test_purging_by_filter_takes_only_ended_ones(house: House) -> None:
    for number in range(5):
        ended(house, f"done-{number}")
    house.tell(start())
    assert house.loop.play(house.engine.purge_all(Filter())) == Purged(5)
    assert list(house.memory.cells) == [ID]
    assert house.loop.play(house.engine.purge_all(Filter(statuses=frozenset({Status.RUNNING})))) == Purged(0)


def test_purging_by_filter_says_when_its_time_ran_out(house: House) -> None:
    for number in range(5):
        ended(house, f"done-{number}")
    house.fail({"commit": [Slow(after=1.0)] * 5})
    purged = house.loop.play(house.engine.purge_all(Filter(), seconds_max=2.5))
    assert purged == Purged(3, is_complete=False)


def test_purging_by_filter_steps_over_an_instance_that_was_started_again_meanwhile(house: House) -> None:
    for number in range(3):
        ended(house, f"done-{number}")
    house.fail({"load": [Slow(before=1.0)]})
    purging = house.loop.create_task(house.engine.purge_all(Filter()))
    house.advance(0.5)
    house.tell(start("done-0", "again"))
    house.advance(5.0)
    assert purging.result() == Purged(2)
    assert list(house.memory.cells) == ["done-0"]


def test_a_restart_has_the_same_name_input_and_tags(house: House) -> None:
    with pytest.raises(InstanceNotFound):
        house.loop.play(house.engine.restart(ID))
    house.loop.play(house.engine.start(REQUEST))
    house.loop.settle()
    with pytest.raises(WrongState):
        house.loop.play(house.engine.restart(ID))
    other = house.loop.play(house.engine.restart(ID, with_new_id=True))
    house.turn(COMPLETE)
    assert house.loop.play(house.engine.restart(ID)) == ID
    for instance_id in (ID, other):
        record = house.record(instance_id)
        assert (record.name, record.tags, record.label) == ("order", {"a": "b"}, "v1")
    assert house.record().generation == 2


def test_a_rerun_starts_under_its_own_id(house: House) -> None:
    with pytest.raises(InstanceNotFound):
        house.loop.play(house.engine.rerun(ID, 0))
    house.tell(start())
    house.turn(activity(0))
    house.answer(0)
    house.turn(COMPLETE)
    made = house.loop.play(house.engine.rerun(ID, 0, new_id="order-8"))
    house.loop.settle()
    house.turn(instance_id=made)
    house.answer(0, instance_id=made)
    house.turn(COMPLETE, instance_id=made)
    assert house.status("order-8") is Status.COMPLETED


def test_a_rewind_runs_again(house: House) -> None:
    house.tell(start())
    house.turn(CompleteWorkflow(seq=0, status=Status.FAILED))
    house.loop.play(house.engine.rewind(ID))
    house.loop.settle()
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_looking_at_a_store_that_is_down_is_unavailable(house: House) -> None:
    house.fail({"view": [FailBefore()]})
    with pytest.raises(Unavailable):
        house.loop.play(house.engine.get(ID))


def test_history_of_nobody_is_not_found(house: House) -> None:
    with pytest.raises(InstanceNotFound):
        house.loop.play(house.engine.history(ID))
    house.tell(start())
    house.tell(SUSPEND)
    assert house.loop.play(house.engine.history(ID)) == ()


def test_waiting_for_an_instance_that_runs_here_asks_no_store(house: House) -> None:
    house.tell(start())
    house.fail({"view": [Slow(before=5.0)]})
    waiting = house.loop.create_task(house.engine.wait(ID, for_end=True))
    house.loop.settle()
    house.turn(COMPLETE)
    assert waiting.done()
    view = waiting.result()
    assert view is not None
    assert view.record.status is Status.COMPLETED
