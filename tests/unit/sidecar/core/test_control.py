"""Suspend, resume, terminate: in every state, with and without a turn at a worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, StartChild
from holdfast_proto.history import EventReceived, Parent, StallReason, Status, TerminateRequested, WorkflowCompleted
from holdfast_sidecar.core import upkeep
from holdfast_sidecar.core.errors import InstanceNotFound
from holdfast_sidecar.core.messages import ChildAnswer, Terminate
from holdfast_sidecar.core.receive import DONE, Decided, Taken
from tests.unit.sidecar.core.stage import RESUME, SECOND, SUSPEND, TERMINATE, Stage, activity, event, start, timer

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED, result='"done"')


def begun() -> Stage:
    stage = Stage()
    stage.tell(start())
    return stage


def stall(stage: Stage) -> None:
    stage.apply(upkeep.stall(stage.live, StallReason.VERSION_NOT_AVAILABLE, "no v9", now=stage.now))


def test_a_suspended_instance_shows_it_at_once_and_runs_no_turn() -> None:
    stage = begun()
    assert isinstance(stage.tell(SUSPEND), Decided)
    assert stage.status() is Status.SUSPENDED
    stage.tell(event())
    assert not stage.live.is_turn_due


def test_suspending_twice_is_suspending_once() -> None:
    stage = begun()
    stage.tell(SUSPEND)
    assert stage.tell(SUSPEND) is DONE


def test_nothing_that_arrives_while_suspended_is_lost() -> None:
    stage = begun()
    stage.turn(activity(0), timer(1, 1_001 * SECOND))
    stage.tell(SUSPEND)
    stage.tell(event("one"))
    stage.answer(0)
    stage.fire(1)
    stage.save()
    stage.crash()
    stage.tell(RESUME)
    assert stage.status() is Status.RUNNING
    stage.turn(COMPLETE)
    assert stage.kinds()[-7:] == [
        "TurnStarted",
        "Suspended",
        "EventReceived",
        "ActivityCompleted",
        "TimerFired",
        "Resumed",
        "WorkflowCompleted",
    ]


def test_a_turn_that_was_at_a_worker_when_suspended_still_counts() -> None:
    stage = begun()
    turn = stage.think()
    stage.tell(SUSPEND)
    stage.close(turn, activity(0))
    assert stage.status() is Status.SUSPENDED
    assert [run.event.seq for run in stage.runs] == [0]
    stage.answer(0)
    assert not stage.live.is_turn_due


def test_a_turn_that_ends_a_suspended_instance_ends_it() -> None:
    stage = begun()
    turn = stage.think()
    stage.tell(SUSPEND)
    stage.close(turn, COMPLETE)
    assert stage.status() is Status.COMPLETED
    assert stage.tell(RESUME) is DONE
    assert stage.tell(SUSPEND) is DONE


def test_resuming_what_is_not_suspended_changes_nothing() -> None:
    stage = begun()
    assert stage.tell(RESUME) is DONE


def test_suspending_nobody_is_an_error() -> None:
    assert isinstance(Stage().refusal(SUSPEND), InstanceNotFound)


def test_a_pending_instance_is_pending_again_after_it_was_suspended() -> None:
    stage = begun()
    stage.tell(SUSPEND)
    stage.tell(RESUME)
    assert stage.status() is Status.PENDING
    stage.turn()
    assert stage.kinds() == ["TurnStarted", "WorkflowStarted", "Suspended", "Resumed"]


def test_suspending_makes_durable_what_had_arrived() -> None:
    stage = begun()
    stage.tell(event("one"))
    stage.tell(SUSPEND)
    stage.crash()
    assert [fact.name for fact in stage.inbox if isinstance(fact, EventReceived)] == ["one"]


def test_a_stalled_instance_that_is_suspended_and_resumed_is_tried_again() -> None:
    stage = begun()
    stall(stage)
    stage.tell(SUSPEND)
    assert stage.status() is Status.SUSPENDED
    stage.tell(RESUME)
    assert stage.status() is Status.PENDING
    assert stage.live.is_turn_due
    stage.turn(COMPLETE)


def test_a_terminated_instance_has_the_output_that_was_given() -> None:
    stage = begun()
    stage.turn(activity(0), timer(1, 1_001 * SECOND))
    stage.tell(TERMINATE)
    assert stage.last(TerminateRequested).output == '"stop"'
    end = stage.last(WorkflowCompleted)
    assert (end.status, end.result, end.failure) == (Status.TERMINATED, '"stop"', None)
    assert stage.stored.record.completed_at == stage.now
    assert (stage.stored.reminders, stage.stored.activities, stage.stored.inbox) == ((), (), ())


def test_a_pending_instance_is_terminated_without_a_worker() -> None:
    stage = begun()
    stage.tell(TERMINATE)
    assert stage.kinds() == ["TurnStarted", "WorkflowStarted", "TerminateRequested", "WorkflowCompleted"]
    assert stage.stored.record.started_at is not None


def test_what_had_arrived_is_in_the_history_of_a_terminated_instance() -> None:
    stage = begun()
    stage.turn()
    stage.tell(event("saved"))
    stage.save()
    stage.tell(event("unsaved"))
    stage.tell(TERMINATE)
    assert [fact.name for fact in stage.history if isinstance(fact, EventReceived)] == ["saved", "unsaved"]


def suspend(stage: Stage) -> None:
    stage.tell(SUSPEND)


@pytest.mark.parametrize("prepare", [suspend, stall])
def test_a_suspended_or_stalled_instance_can_be_terminated(prepare: Callable[[Stage], None]) -> None:
    stage = begun()
    prepare(stage)
    stage.tell(TERMINATE)
    assert stage.status() is Status.TERMINATED
    assert (stage.stored.record.stall, stage.stored.record.is_suspended) == (None, False)


def test_terminating_an_ended_instance_changes_nothing() -> None:
    stage = begun()
    stage.turn(COMPLETE)
    assert stage.tell(TERMINATE) is DONE
    assert stage.status() is Status.COMPLETED


def test_a_terminated_child_has_failed_for_its_parent() -> None:
    stage = Stage()
    stage.tell(start(parent=Parent(instance_id="boss", seq=1, execution_id="boss-run", row=2)))
    stage.tell(TERMINATE)
    [send] = stage.sends
    assert isinstance(send.message, ChildAnswer)


def test_children_are_terminated_only_when_that_was_asked() -> None:
    stage = begun()
    stage.turn(StartChild(seq=0, instance_id="kid", name="ship"))
    stage.live.started.add(2)
    stage.tell(TERMINATE)
    assert [send for send in stage.sends if isinstance(send.message, Terminate)] == []


def test_a_recursive_terminate_goes_to_all_open_children_and_on_to_theirs() -> None:
    stage = begun()
    stage.turn(*(StartChild(seq=seq, instance_id=f"kid-{seq}", name="ship") for seq in range(3)))
    stage.live.started |= {2, 3, 4}
    stage.child_answer(stage.sends[1])
    stage.turn()
    stage.tell(replace(TERMINATE, recurse=True))
    told = [send.message for send in stage.sends if isinstance(send.message, Terminate)]
    assert [(message.instance_id, message.recurse, message.is_required) for message in told] == [
        ("kid-0", True, False),
        ("kid-2", True, False),
    ]
    assert {reminder.name for reminder in stage.stored.reminders} == {"send-1", "send-2"}


def test_a_pending_turn_of_a_terminated_instance_is_void() -> None:
    stage = begun()
    stage.think()
    stage.tell(TERMINATE)
    assert not stage.live.is_turn_due


def test_an_event_that_arrives_while_the_last_turn_runs_is_dropped() -> None:
    stage = begun()
    turn = stage.think()
    assert isinstance(stage.tell(event()), Taken)
    stage.close(turn, COMPLETE)
    assert stage.stored.inbox == ()
    assert "EventReceived" not in stage.kinds()
