"""Continue-as-new: a new history, the same instance, and what is carried over."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, SendEvent
from holdfast_proto.history import EventReceived, Parent, Status, WorkflowStarted
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.receive import DONE, Taken
from tests.unit.sidecar.core.stage import RESUME, SECOND, SUSPEND, TERMINATE, Stage, activity, event, start, timer

CONTINUE = CompleteWorkflow(seq=9, status=Status.CONTINUED_AS_NEW, result="2")


def begun(**fields: Any) -> Stage:
    stage = Stage()
    stage.tell(start(**fields))
    return stage


def test_the_next_generation_is_the_same_instance_with_another_execution() -> None:
    parent = Parent(instance_id="boss", seq=1, execution_id="boss-run", row=2)
    stage = begun(parent=parent, tags={"a": "b"}, version="v1")
    stage.now += SECOND
    stage.turn(CONTINUE)
    record = stage.stored.record
    assert (record.id, record.generation, record.status) == ("order-7", 2, Status.RUNNING)
    assert (record.parent, record.tags, record.label) == (parent, {"a": "b"}, "v1")
    assert record.created_at == 1_000 * SECOND
    assert record.execution_id != "run-1"
    assert (record.history_length, record.history_bytes) == (0, 0)
    [fresh] = stage.inbox
    assert isinstance(fresh, WorkflowStarted)
    assert (fresh.input, fresh.execution_id, fresh.parent) == ("2", record.execution_id, parent)


def test_version_and_tags_may_change_with_the_generation() -> None:
    stage = begun(version="v1", tags={"a": "b"})
    stage.turn(replace(CONTINUE, new_version="v2", tags={}))
    assert (stage.stored.record.label, stage.stored.record.tags) == ("v2", {})


def test_execution_ids_of_generations_are_all_different_and_the_same_after_a_crash() -> None:
    stage = begun()
    ids = ["run-1"]
    for _ in range(3):
        stage.turn(CONTINUE)
        ids.append(stage.stored.record.execution_id)
    assert len(set(ids)) == 4
    again = begun()
    again.turn(CONTINUE)
    assert again.stored.record.execution_id == ids[1]


def test_carried_events_stand_before_those_that_arrived_during_the_turn() -> None:
    stage = begun()
    turn = stage.think()
    stage.tell(event("during"))
    carried = EventReceived(at=0, name="carried", input="1")
    stage.close(turn, replace(CONTINUE, carryover=(carried,)))
    names = [type(fact).__name__ if isinstance(fact, WorkflowStarted) else fact.name for fact in received(stage)]
    assert names == ["WorkflowStarted", "carried", "during"]


def test_nothing_is_lost_when_what_arrived_had_been_saved() -> None:
    stage = begun()
    turn = stage.think()
    stage.tell(event("saved"))
    stage.save()
    stage.tell(event("unsaved"))
    stage.close(turn, CONTINUE)
    assert [fact.name for fact in stage.inbox if isinstance(fact, EventReceived)] == ["saved", "unsaved"]
    stage.crash()
    stage.turn(CONTINUE)


def test_an_answer_that_arrived_during_the_last_turn_does_not_reach_the_next_generation() -> None:
    stage = begun()
    stage.turn(activity(0), activity(1), timer(2, 1_001 * SECOND))
    stage.answer(0)
    turn = stage.think()
    stage.answer(1)
    stage.fire(2)
    stage.close(turn, CONTINUE)
    assert [type(fact) for fact in stage.inbox] == [WorkflowStarted]
    stage.turn(activity(1), timer(2, 1_001 * SECOND))
    assert isinstance(stage.answer(1), Taken)


def test_running_activities_of_the_old_generation_answer_into_the_void() -> None:
    stage = begun()
    stage.turn(activity(0), activity(1))
    old = stage.run(1)
    stage.answer(0)
    stage.turn(CONTINUE)
    assert stage.stored.activities == ()
    stage.turn(activity(0), activity(1))
    assert stage.answer(1, run=old) is DONE


def test_other_actions_of_the_turn_are_executed() -> None:
    stage = begun()
    stage.turn(SendEvent(seq=0, instance_id="other", name="bye"), activity(1), CONTINUE)
    assert [send.message.instance_id for send in stage.sends] == ["other"]
    assert [run.event.name for run in stage.runs] == ["charge"]


def test_the_custom_status_is_what_the_last_turn_said() -> None:
    stage = begun()
    stage.turn(CONTINUE, custom_status="half")
    assert stage.stored.custom_status == "half"


def test_a_suspended_instance_stays_suspended_over_generations() -> None:
    stage = begun()
    turn = stage.think()
    stage.tell(SUSPEND)
    stage.close(turn, CONTINUE)
    assert stage.status() is Status.SUSPENDED
    assert not stage.live.is_turn_due
    stage.tell(RESUME)
    assert stage.status() is Status.RUNNING
    stage.turn(CONTINUE)


def test_a_generation_can_be_terminated_before_its_first_turn() -> None:
    stage = begun()
    stage.turn(CONTINUE)
    stage.tell(TERMINATE)
    assert stage.kinds() == ["TurnStarted", "WorkflowStarted", "TerminateRequested", "WorkflowCompleted"]


def test_a_history_at_its_limit_may_continue_as_new() -> None:
    stage = Stage(limits=Limits(history_events_max=6))
    stage.tell(start())
    stage.turn(activity(0))
    for _ in range(3):
        stage.tell(event())
    stage.turn(CONTINUE)
    assert stage.stored.record.generation == 2


def test_a_thousand_generations_leave_nothing_behind() -> None:
    stage = begun()
    for number in range(200):
        stage.turn(activity(0), timer(1, 2_000 * SECOND))
        stage.tell(event("go", source=str(number)))
        stage.turn(CONTINUE)
    assert [reminder.name for reminder in stage.stored.reminders] == ["wake"]
    assert (stage.stored.activities, len(stage.stored.inbox)) == ((), 1)


def received(stage: Stage) -> list[WorkflowStarted | EventReceived]:
    return [fact for fact in stage.inbox if isinstance(fact, WorkflowStarted | EventReceived)]
