"""A start guesses that its id is free, and the store says when it is not."""

from __future__ import annotations

import pytest

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Status
from holdfast_sidecar.core.errors import InstanceExists
from holdfast_sidecar.stores.faults import FailBefore, LoseAnswer, Slow
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import ID, event, start

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
