"""Rewind: a failed run goes on from before its failures; children go with it."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.actions import Action, CompleteWorkflow, SendEvent, StartChild, StartDetached
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityScheduled,
    ChildScheduled,
    HistoryEvent,
    Status,
    TimerOrigin,
)
from holdfast_sidecar.core.errors import InstanceExists, InstanceNotFound, WrongState
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Rewind
from holdfast_sidecar.core.receive import DONE, Decided, Taken
from holdfast_sidecar.core.repair import recover
from tests.unit.sidecar.core.stage import ID, SECOND, Stage, activity, event, parent_of, start, timer

FAIL = CompleteWorkflow(seq=99, status=Status.FAILED)
COMPLETE = CompleteWorkflow(seq=99, status=Status.COMPLETED)
REWIND = Rewind(instance_id=ID, reason="fixed")


def begun() -> Stage:
    stage = Stage(limits=Limits(retention={Status.FAILED: 60 * SECOND}))
    stage.tell(start())
    return stage


def schedules(stage: Stage) -> list[int]:
    return [fact.seq for fact in stage.history if isinstance(fact, ActivityScheduled)]


def kid(seq: int, instance_id: str = "", payload: str = "") -> StartChild:
    return StartChild(seq=seq, instance_id=instance_id, name="ship", input=payload)


def test_only_a_failed_instance_is_rewound() -> None:
    assert isinstance(Stage().refusal(REWIND), InstanceNotFound)
    stage = begun()
    assert isinstance(stage.refusal(REWIND), WrongState)
    stage.turn(COMPLETE)
    assert isinstance(stage.refusal(REWIND), WrongState)


def test_a_failed_activity_is_forgotten_with_its_schedule_and_the_code_asks_again() -> None:
    stage = begun()
    stage.turn(activity(0))
    stage.answer(0)
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(FAIL)
    assert stage.reminder("retention") is not None
    assert isinstance(stage.tell(REWIND), Decided)
    record = stage.stored.record
    assert (record.status, record.completed_at, record.owes_turn) == (Status.RUNNING, None, True)
    assert stage.kinds() == [
        "TurnStarted",
        "WorkflowStarted",
        "ActivityScheduled",
        "TurnStarted",
        "ActivityCompleted",
        "TurnStarted",
    ]
    assert stage.reminder("retention") is None
    stage.turn(activity(1))
    stage.answer(1)
    stage.turn(COMPLETE)
    assert stage.status() is Status.COMPLETED


def test_a_rewind_survives_a_crash() -> None:
    stage = begun()
    stage.turn(FAIL)
    stage.tell(REWIND)
    stage.crash()
    assert stage.live.is_turn_due
    stage.turn(COMPLETE)


def test_a_second_rewind_finds_it_running() -> None:
    stage = begun()
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert isinstance(stage.refusal(REWIND), WrongState)


def test_what_ran_beside_the_failure_is_run_again_under_its_new_place() -> None:
    stage = begun()
    stage.turn(activity(0), activity(1), timer(2, 2_000 * SECOND))
    stage.fail(0)
    before = stage.run(1)
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert stage.run(1).row != before.row
    assert stage.answer(1, run=before) is DONE
    assert isinstance(stage.answer(1), Taken)
    assert isinstance(stage.fire(2), Taken)


def test_all_attempts_of_a_call_that_failed_for_good_are_forgotten_with_the_waits_between() -> None:
    stage = begun()
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(timer(2, 1_001 * SECOND))
    stage.fire(2)
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(timer(3, 1_002 * SECOND))
    stage.fire(3)
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert [kind for kind in stage.kinds() if kind != "TurnStarted"] == ["WorkflowStarted"]


def test_attempts_under_numbers_of_their_own_are_forgotten_too() -> None:
    stage = begun()
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(timer(2, 1_001 * SECOND, origin=TimerOrigin.ACTIVITY_RETRY))
    stage.fire(2)
    stage.turn(activity(3))
    stage.fail(3)
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert [kind for kind in stage.kinds() if kind != "TurnStarted"] == ["WorkflowStarted"]


def test_a_failure_that_a_later_attempt_made_good_stays_as_it_was() -> None:
    stage = begun()
    stage.turn(activity(1))
    stage.fail(1)
    stage.turn(timer(2, 1_001 * SECOND))
    stage.fire(2)
    stage.turn(activity(3))
    stage.answer(3)
    stage.turn(activity(4, "ship"))
    before = stage.kinds()
    stage.fail(4)
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert stage.kinds() == [*before[:-1], "TurnStarted"]


def test_two_calls_alike_that_ran_side_by_side_are_told_apart() -> None:
    stage = begun()
    stage.turn(activity(1), activity(2))
    stage.fail(1)
    stage.answer(2)
    stage.turn(FAIL)
    stage.tell(REWIND)
    assert schedules(stage) == [2]
    assert "ActivityCompleted" in stage.kinds()


def test_an_activity_of_the_failing_turn_is_open_after_a_rewind() -> None:
    stage = begun()
    stage.turn(activity(0), FAIL)
    stage.tell(REWIND)
    stage.crash()
    assert recover(stage.live) == (stage.run(0),)
    assert isinstance(stage.answer(0), Taken)


def test_what_is_sent_after_a_rewind_is_never_taken_for_what_was_sent_before() -> None:
    stage = begun()
    stage.turn(activity(0), activity(1))
    stage.fail(0)
    asked: list[Action] = [
        SendEvent(seq=2, instance_id="other", name="a"),
        StartDetached(seq=3, instance_id="", name="x"),
    ] * 3
    stage.turn(*asked, FAIL)
    stage.tell(REWIND)
    stage.turn(*asked)
    told = [getattr(send.message, "event", b"") for send in stage.sends]
    assert len(set(told)) == len(told) == 12
    assert len({send.message.instance_id for send in stage.sends}) == 7


def failed_parent(*, shifts: bool) -> tuple[Stage, Stage]:
    """A parent that failed because its child did. With `shifts` the child's schedule moves when it is rewound."""
    stage = begun()
    if shifts:
        stage.turn(activity(7))
        stage.fail(7)
        stage.turn(kid(0, "kid"))
    else:
        stage.turn(kid(0, "kid"))
    child = Stage(instance_id="kid")
    child.tell(stage.sends[0].message)
    child.turn(activity(0))
    child.fail(0)
    child.turn(FAIL)
    stage.tell(child.sends[0].message)
    stage.turn(FAIL)
    return stage, child


def test_a_failed_child_is_rewound_with_its_parent_and_answers_it_again() -> None:
    for shifts in (False, True):
        stage, child = failed_parent(shifts=shifts)
        stage.tell(REWIND)
        message = stage.sends[-1].message
        assert isinstance(message, Rewind)
        assert isinstance(child.tell(message), Decided)
        assert child.status() is Status.RUNNING
        child.turn(activity(0))
        child.answer(0)
        child.turn(COMPLETE)
        assert isinstance(stage.tell(child.sends[-1].message), Taken)
        stage.turn(COMPLETE)


def test_a_childs_rewind_that_comes_twice_counts_once() -> None:
    for shifts in (False, True):
        stage, child = failed_parent(shifts=shifts)
        stage.tell(REWIND)
        message = stage.sends[-1].message
        child.tell(message)
        assert child.tell(message) is DONE
        child.turn(FAIL)
        assert child.tell(message) is DONE
        assert child.status() is Status.FAILED


def test_a_parent_can_be_rewound_twice() -> None:
    stage, child = failed_parent(shifts=False)
    for _ in range(2):
        stage.tell(REWIND)
        child.tell(stage.sends[-1].message)
        child.turn(FAIL)
        stage.tell(child.sends[-1].message)
        stage.turn(FAIL)
    stage.tell(REWIND)
    child.tell(stage.sends[-1].message)
    child.turn(COMPLETE)
    assert isinstance(stage.tell(child.sends[-1].message), Taken)


def test_a_child_that_completed_meanwhile_answers_under_the_new_place() -> None:
    stage = begun()
    stage.turn(activity(7), kid(0, "kid"))
    stage.fail(7)
    stage.turn(FAIL)
    child = Stage(instance_id="kid")
    child.tell(stage.sends[0].message)
    child.turn(COMPLETE)
    assert stage.tell(child.sends[0].message) is DONE
    stage.tell(REWIND)
    child.tell(stage.sends[-1].message)
    assert isinstance(stage.tell(child.sends[-1].message), Taken)


def test_a_child_that_still_runs_answers_under_the_new_place() -> None:
    stage = begun()
    stage.turn(activity(7), kid(0, "kid"))
    stage.fail(7)
    stage.turn(FAIL)
    child = Stage(instance_id="kid")
    child.tell(stage.sends[0].message)
    child.tell(replace(event(), instance_id="kid"))
    stage.tell(REWIND)
    child.tell(stage.sends[-1].message)
    child.turn(COMPLETE)
    assert isinstance(stage.tell(child.sends[-1].message), Taken)


def test_a_child_that_is_gone_is_started_anew() -> None:
    stage, _ = failed_parent(shifts=False)
    stage.tell(REWIND)
    fresh = Stage(instance_id="kid")
    assert isinstance(fresh.tell(stage.sends[-1].message), Decided)
    assert fresh.status() is Status.PENDING


def test_a_child_whose_id_belongs_to_a_stranger_is_refused_again() -> None:
    stage = begun()
    stage.turn(kid(0, "kid"))
    stage.fail_child()
    stage.turn(FAIL)
    stage.tell(REWIND)
    stranger = Stage(instance_id="kid")
    stranger.tell(start("kid", "stranger-run"))
    assert isinstance(stranger.refusal(stage.sends[-1].message), InstanceExists)


def test_recovery_after_a_rewind_leaves_children_to_the_rewind() -> None:
    stage, _ = failed_parent(shifts=True)
    stage.tell(REWIND)
    stage.crash()
    assert recover(stage.live) == ()
    assert len([name for name in stage.live.outbox if name == stage.sends[-1].name]) == 1


def test_of_several_attempts_of_a_child_the_first_is_rewound() -> None:
    stage = begun()
    stage.turn(kid(1, "kid-1", "x"))
    stage.fail_child()
    stage.turn(timer(2, 1_001 * SECOND))
    stage.fire(2)
    stage.turn(kid(3, "kid-3", "x"))
    stage.fail_child()
    stage.turn(FAIL)
    stage.tell(REWIND)
    left: list[HistoryEvent] = [fact for fact in stage.history if isinstance(fact, ChildScheduled)]
    assert [fact.seq for fact in left if isinstance(fact, ChildScheduled)] == [1]
    assert "TimerCreated" not in stage.kinds()
    assert "ActivityCompleted" not in {type(fact).__name__ for fact in left}
    assert not [fact for fact in stage.history if isinstance(fact, ActivityCompleted)]
    assert parent_of(stage.sends[-1]).seq == 1
