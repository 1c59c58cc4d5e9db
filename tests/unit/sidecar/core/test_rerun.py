"""Running a finished instance again from one of its events."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, StartChild
from holdfast_proto.history import ActivityScheduled, ChildScheduled, Parent, Status, TimerCreated
from holdfast_sidecar.core.errors import EventNotFound, InstanceExists, InvalidRequest, WrongState
from holdfast_sidecar.core.messages import Fork
from holdfast_sidecar.core.receive import DONE, Decided, Taken
from holdfast_sidecar.core.rerun import Rerun, plan_rerun
from tests.unit.sidecar.core.stage import ID, SECOND, Stage, activity, start, timer

COMPLETE = CompleteWorkflow(seq=99, status=Status.COMPLETED)
NEW = "order-8"
NOW = 5_000 * SECOND


def finished() -> Stage:
    """0 charge, then 1 ship beside 2 nap of five seconds beside child 3, then the end."""
    stage = Stage()
    stage.tell(start(input='"in"'))
    stage.turn(activity(0, input='"a"'))
    stage.answer(0, '"paid"')
    stage.turn(
        activity(1, "ship", input='"b"'), timer(2, stage.now + 5 * SECOND), StartChild(seq=3, instance_id="", name="k")
    )
    stage.answer(1, '"sent"')
    stage.fire(2)
    stage.child_answer(stage.sends[0])
    stage.turn(COMPLETE)
    return stage


def plan(stage: Stage, seq: int, **fields: object) -> Fork:
    rerun = replace(Rerun(source_id=ID, seq=seq, new_id=NEW), **fields)
    return plan_rerun(stage.stored, rerun, execution_id="run-9", now=NOW)


def forked(fork: Fork) -> Stage:
    stage = Stage(instance_id=NEW)
    stage.now = NOW
    assert isinstance(stage.tell(fork), Decided)
    return stage


def test_what_was_done_before_the_event_is_kept_and_the_event_runs_again() -> None:
    fork = forked(plan(finished(), 1))
    record = fork.stored.record
    assert (record.id, record.execution_id, record.name) == (NEW, "run-9", "order")
    assert (record.status, record.generation, record.parent) == (Status.RUNNING, 1, None)
    assert fork.kinds() == [
        "TurnStarted",
        "WorkflowStarted",
        "ActivityScheduled",
        "TurnStarted",
        "ActivityCompleted",
        "ActivityScheduled",
        "TimerCreated",
        "ChildScheduled",
    ]
    assert [run.event.seq for run in fork.runs] == [1]
    again = fork.last(ActivityScheduled)
    assert (again.rerun_of, again.input) == (ID, '"b"')
    assert fork.live.is_turn_due


def test_the_fork_goes_on_to_its_own_end() -> None:
    fork = forked(plan(finished(), 1))
    fork.turn()
    assert isinstance(fork.answer(1), Taken)
    assert isinstance(fork.fire(2), Taken)
    assert isinstance(fork.child_answer(fork.sends[0]), Taken)
    fork.turn(COMPLETE)


def test_a_timer_of_the_fork_waits_as_long_as_the_first_one_did() -> None:
    fork = forked(plan(finished(), 2))
    reminder = fork.reminder("timer-2")
    assert reminder is not None
    assert reminder.due_at == NOW + 5 * SECOND
    assert fork.last(TimerCreated).rerun_of == ID


def test_children_of_the_fork_have_ids_of_its_own() -> None:
    assert forked(plan(finished(), 3)).last(ChildScheduled).instance_id == f"{NEW}:0003"
    chosen = forked(plan(finished(), 3, new_child_id="kid-2"))
    assert chosen.last(ChildScheduled).instance_id == "kid-2"


@pytest.mark.parametrize(("given", "expected"), [(UNSET, '"a"'), (None, None), ('"z"', '"z"')])
def test_the_input_of_the_event_is_replaced_only_when_that_was_asked(given: object, expected: str | None) -> None:
    fork = forked(plan(finished(), 0, input=given))
    assert fork.last(ActivityScheduled).input == expected


def test_a_timer_has_no_input_to_replace() -> None:
    with pytest.raises(InvalidRequest):
        plan(finished(), 2, input='"z"')


@pytest.mark.parametrize("seq", [99, -1, 50])
def test_an_event_that_cannot_be_rerun_is_named(seq: int) -> None:
    with pytest.raises(EventNotFound, match=str(seq)):
        plan(finished(), seq)


def test_only_a_finished_instance_is_rerun() -> None:
    stage = Stage()
    stage.tell(start())
    with pytest.raises(WrongState):
        plan(stage, 0)


def test_a_child_is_not_rerun() -> None:
    stage = Stage()
    stage.tell(start(parent=Parent(instance_id="boss", seq=1, execution_id="b", row=2)))
    stage.turn(activity(0), COMPLETE)
    with pytest.raises(InvalidRequest, match="boss"):
        plan(stage, 0)


def test_a_rerun_needs_an_id_of_its_own() -> None:
    with pytest.raises(InvalidRequest):
        plan(finished(), 0, new_id=ID)


def test_a_taken_id_is_refused_and_the_same_fork_again_is_not() -> None:
    fork = plan(finished(), 0)
    stage = forked(fork)
    assert stage.tell(fork) is DONE
    stage.turn()
    assert stage.tell(fork) is DONE
    stranger = Stage(instance_id=NEW)
    stranger.tell(start(NEW))
    assert isinstance(stranger.refusal(fork), InstanceExists)


def test_an_event_of_the_last_turn_is_rerun_without_the_end() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), COMPLETE)
    fork = forked(plan(stage, 0))
    assert "WorkflowCompleted" not in fork.kinds()
    assert [run.event.seq for run in fork.runs] == [0]
    assert fork.status() is Status.RUNNING
