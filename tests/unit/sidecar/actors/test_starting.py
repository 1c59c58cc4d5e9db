"""A start guesses that its id is free, and the store says when it is not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, Stall
from holdfast_proto.history import StallReason, Status
from holdfast_sidecar.actors.ports import SAVE_AFTER
from holdfast_sidecar.core.errors import InstanceExists
from holdfast_sidecar.core.messages import Message, Purge, ReusePolicy
from holdfast_sidecar.stores.faults import FailBefore, LoseAnswer, Slow
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import ID, SECOND, SUSPEND, TERMINATE, activity, event, start

WAITING = replace(start(), may_wait=True)
COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
LOADS_SLOWLY = {"load": [Slow(before=5.0)]}


def test_a_start_of_a_free_id_is_not_preceded_by_a_load(house: House) -> None:
    house.fail(LOADS_SLOWLY)
    assert house.tell(start()).is_ok
    assert house.has_turn


def test_a_start_of_an_id_that_is_taken_is_decided_by_what_is_stored(house: House) -> None:
    house.tell(start())
    house.crash()
    house.boot()
    assert house.tell(start()).is_ok
    assert isinstance(house.tell(start(ID, "run-2")).error, InstanceExists)
    assert house.record().execution_id == "run-1"


def test_a_start_after_the_end_begins_the_next_generation(house: House) -> None:
    house.tell(start())
    house.turn(COMPLETE)
    house.fail(LOADS_SLOWLY)
    asked = house.tell(start(ID, "run-2"))
    assert not asked.is_answered
    house.advance(5.1)
    assert asked.is_ok
    assert house.record().generation == 2


def test_what_comes_behind_a_start_waits_for_it(house: House) -> None:
    started = house.tell_soon(start())
    raised = house.tell(event(source="s1"))
    assert started.is_ok
    house.turn(COMPLETE)
    assert raised.is_ok


@pytest.mark.parametrize("fault", [FailBefore(), LoseAnswer()], ids=["not written", "written"])
def test_a_start_whose_commit_failed_is_looked_for(house: House, fault: FailBefore | LoseAnswer) -> None:
    house.fail({"commit": [fault], **LOADS_SLOWLY})
    asked = house.tell(start())
    house.advance(4.0)
    assert not asked.is_answered
    house.advance(6.0)
    assert asked.is_ok


# -- a start that may wait for its first turn ------------------------------------------------------------------------


def test_a_start_that_may_wait_is_durable_with_its_first_turn(house: House) -> None:
    asked = house.tell(WAITING)
    assert house.stored() is None
    assert not asked.is_answered
    house.turn(activity(0))
    assert asked.is_ok
    assert house.kinds() == ["TurnStarted", "WorkflowStarted", "ActivityScheduled"]
    house.answer(0)
    house.turn(COMPLETE)
    assert house.commits == 2


def test_a_start_that_may_wait_does_so_for_no_longer_than_any_message(house: House) -> None:
    asked = house.tell(WAITING)
    house.advance(SAVE_AFTER)
    assert asked.is_ok
    assert house.status() is Status.PENDING
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_without_a_worker_it_is_durable_all_the_same() -> None:
    with House() as house:
        house.disconnect()
        asked = house.tell(WAITING)
        house.advance(SAVE_AFTER)
        assert asked.is_ok
        house.crash()
        house.boot()
        house.turn(COMPLETE)
        assert house.status() is Status.COMPLETED


def test_a_crash_before_its_first_turn_leaves_nothing_of_it_and_it_can_come_again(house: House) -> None:
    asked = house.tell(WAITING)
    house.crash()
    assert not asked.is_answered
    house.boot()
    assert house.stored() is None
    house.tell(WAITING)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


@pytest.mark.parametrize(
    "message",
    [WAITING, event(), SUSPEND, TERMINATE, start(execution_id="run-2"), Purge(instance_id=ID)],
    ids=lambda message: type(message).__name__,
)
def test_nobody_learns_of_an_instance_that_is_not_stored(house: House, message: Message) -> None:
    """Whatever comes after the start finds it durable, as if it had not been allowed to wait."""
    first = house.tell_soon(WAITING)
    found: list[bool] = []
    house.host.post(message, lambda _: found.append(house.stored() is not None))
    house.loop.settle()
    house.advance(SAVE_AFTER)
    assert first.is_ok
    assert found == [True]


def test_who_looks_sees_no_instance_that_is_not_stored(house: House) -> None:
    house.tell(WAITING)
    assert house.loop.play(house.engine.get(ID)) is None
    assert not house.host.will_tell(ID, for_end=True)
    house.turn(COMPLETE)
    view = house.loop.play(house.engine.wait(ID, for_end=True))
    assert view is not None
    assert view.record.status is Status.COMPLETED


def test_a_start_that_may_wait_finds_an_instance_that_was_there_only_when_it_is_written(house: House) -> None:
    """An instance that is not loaded is taken for absent; the turn that was begun on that guess is void."""
    house.tell(start(execution_id="first"))
    house.turn(COMPLETE)
    asked = house.tell(replace(WAITING, policy=ReusePolicy(replaceable=frozenset())))
    assert not asked.is_answered
    house.turn(activity(0))
    assert isinstance(asked.error, InstanceExists)
    assert house.record().execution_id == "first"
    assert house.kinds()[-1] == "WorkflowCompleted"
    assert house.worker.forgotten == [ID]


def test_an_instance_that_will_never_have_been_is_not_remembered_as_stalled(house: House) -> None:
    house.tell(start(execution_id="first"))
    house.turn(COMPLETE)
    house.tell(replace(WAITING, policy=ReusePolicy(replaceable=frozenset())))
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    assert house.status() is Status.COMPLETED
    assert not house.host.stalled


def test_a_later_start_waits_for_nothing(house: House) -> None:
    asked = house.tell(replace(start(scheduled_at=house.clock.now_ns() + 60 * SECOND), may_wait=True))
    assert asked.is_ok
    assert house.reminder_names() == ["start"]


@pytest.mark.parametrize("fault", [FailBefore(), LoseAnswer()], ids=["not written", "written"])
def test_a_store_that_fails_under_a_waiting_start_loses_and_doubles_nothing(
    house: House, fault: FailBefore | LoseAnswer
) -> None:
    asked = house.tell(WAITING)
    house.fail({"commit": [fault]})
    house.turn(activity(0))
    house.advance(5.0)
    assert asked.is_ok
    if house.has_turn:  # what was not written is thought about again
        house.turn(activity(0))
    assert house.kinds() == ["TurnStarted", "WorkflowStarted", "ActivityScheduled"]
