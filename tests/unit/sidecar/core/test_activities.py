"""Activities: scheduled, answered once, answered late, scheduled again under the same number, cancelled."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CancelActivity, CompleteWorkflow
from holdfast_proto.codec import encode_event
from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityOptions,
    ActivityScheduled,
    Failure,
    StallReason,
    Status,
    Trace,
)
from holdfast_sidecar.core.errors import InvalidRequest
from holdfast_sidecar.core.messages import ActivityAnswer
from holdfast_sidecar.core.receive import DONE, Taken
from holdfast_sidecar.core.repair import recover
from holdfast_sidecar.core.state import ActivityRow
from holdfast_sidecar.core.turn import Contradiction
from tests.unit.sidecar.core.stage import ID, SUSPEND, TERMINATE, Stage, activity, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)


def running(*seqs: int) -> Stage:
    stage = Stage()
    stage.tell(start())
    stage.turn(*(activity(seq) for seq in seqs))
    return stage


def test_a_schedule_becomes_a_fact_a_request_row_and_an_order() -> None:
    stage = Stage()
    stage.tell(start())
    options = ActivityOptions(start_to_close=5, heartbeat=1)
    trace = Trace("00-aa-bb-01")
    asked = activity(0, version="2", input='"x"', tags={"a": "b"}, trace=trace, task_execution_id="t", options=options)
    stage.turn(asked)
    fact = stage.last(ActivityScheduled)
    assert (fact.seq, fact.name, fact.version, fact.input) == (0, "charge", "2", '"x"')
    assert (fact.tags, fact.trace, fact.task_execution_id, fact.options) == ({"a": "b"}, trace, "t", options)
    [run] = stage.runs
    assert (run.instance_id, run.execution_id, run.row, run.event) == (ID, "run-1", 2, fact)
    assert stage.stored.activities == (ActivityRow(0, 1, run.data),)
    assert stage.stored.history[run.row] == run.data


def test_an_answer_is_taken_and_removes_the_request_with_its_turn() -> None:
    stage = running(0)
    assert isinstance(stage.answer(0, '"paid"'), Taken)
    stage.turn(COMPLETE)
    assert stage.last(ActivityCompleted).result == '"paid"'
    assert stage.stored.activities == ()
    assert stage.status() is Status.COMPLETED


def test_a_failure_is_a_value_and_keeps_all_of_its_parts() -> None:
    stage = running(0)
    cause = Failure(kind="Deep", message="down", stack="at x")
    failure = Failure(kind="Declined", message="no", cause=cause, is_non_retryable=True, properties=b"")
    event = ActivityFailed(at=1, seq=0, failure=failure)
    run = stage.run(0)
    stage.tell(ActivityAnswer(instance_id=ID, execution_id="run-1", row=run.row, event=encode_event(event)))
    stage.turn(COMPLETE)
    assert stage.last(ActivityFailed) == event


def test_the_second_answer_changes_nothing_before_and_after_its_turn() -> None:
    stage = running(0)
    stage.answer(0)
    assert stage.answer(0) is DONE
    stage.turn(activity(1))
    assert stage.answer(0) is DONE
    assert stage.kinds().count("ActivityCompleted") == 1


def test_the_second_answer_changes_nothing_after_a_crash() -> None:
    stage = running(0)
    stage.answer(0)
    stage.save()
    stage.crash()
    assert stage.answer(0) is DONE


def test_an_answer_that_was_not_committed_is_taken_again_after_a_crash() -> None:
    stage = running(0)
    stage.answer(0)
    stage.crash()
    assert isinstance(stage.answer(0), Taken)


def test_a_number_may_be_used_again_once_it_is_answered() -> None:
    stage = running(1)
    first = stage.run(1)
    stage.fail(1)
    stage.turn(activity(1))
    second = stage.run(1)
    assert second.row != first.row
    assert stage.answer(1, run=first) is DONE
    assert isinstance(stage.answer(1, run=second), Taken)
    stage.turn(COMPLETE)
    assert stage.kinds()[2:] == [
        "ActivityScheduled",
        "TurnStarted",
        "ActivityFailed",
        "ActivityScheduled",
        "TurnStarted",
        "ActivityCompleted",
        "WorkflowCompleted",
    ]


def test_a_number_that_is_still_open_cannot_be_used_again() -> None:
    stage = running(0)
    stage.answer(0)
    stage.turn(activity(1))
    turn = None
    stage.answer(1)
    stage.turn(activity(2), activity(3))
    stage.answer(3)
    turn = stage.think()
    with pytest.raises(Contradiction) as caught:
        stage.close(turn, activity(2))
    assert caught.value.reason is StallReason.CONTRADICTION
    assert "charge" in caught.value.description


def test_one_turn_cannot_use_a_number_twice() -> None:
    stage = Stage()
    stage.tell(start())
    with pytest.raises(Contradiction):
        stage.turn(activity(0), activity(0))


@pytest.mark.parametrize("row", [-1, 0, 3, 99])
def test_an_answer_for_another_row_changes_nothing(row: int) -> None:
    stage = running(0)
    wrong = replace(stage.run(0), row=row)
    assert stage.answer(0, run=wrong) is DONE
    assert stage.live.inbox == []


def test_an_answer_for_a_number_that_nobody_asked_for_changes_nothing() -> None:
    stage = running(0)
    event = ActivityCompleted(at=0, seq=7)
    message = ActivityAnswer(instance_id=ID, execution_id="run-1", row=-1, event=encode_event(event))
    assert stage.tell(message) is DONE


def test_an_answer_for_another_execution_changes_nothing() -> None:
    stage = running(0)
    assert stage.answer(0, run=replace(stage.run(0), execution_id="run-0")) is DONE


def test_an_answer_for_an_instance_that_ended_or_is_gone_changes_nothing() -> None:
    stage = running(0, 1)
    stage.tell(TERMINATE)
    assert stage.answer(0) is DONE
    assert Stage().answer(0, run=stage.run(0)) is DONE


def test_only_answers_are_answers() -> None:
    stage = running(0)
    event = stage.run(0).event
    message = ActivityAnswer(instance_id=ID, execution_id="run-1", row=2, event=encode_event(event))
    assert isinstance(stage.refusal(message), InvalidRequest)


def test_answers_come_in_any_order() -> None:
    stage = running(0, 1, 2)
    for seq in (2, 0, 1):
        stage.answer(seq)
    stage.turn(COMPLETE)
    answered = [fact.seq for fact in stage.history if isinstance(fact, ActivityCompleted)]
    assert answered == [2, 0, 1]


def test_an_answer_during_a_turn_waits_for_the_next() -> None:
    stage = running(0, 1)
    stage.answer(0)
    turn = stage.think()
    stage.answer(1)
    stage.close(turn, activity(2))
    assert stage.kinds()[-2:] == ["ActivityCompleted", "ActivityScheduled"]
    assert [type(fact) for fact in stage.inbox] == [ActivityCompleted]
    assert stage.answer(1) is DONE


def test_recovery_runs_what_is_open_and_not_answered() -> None:
    stage = running(0, 1, 2)
    stage.answer(1)
    stage.save()
    stage.crash()
    assert recover(stage.live) == (stage.run(0), stage.run(2))


def test_an_instance_with_an_open_activity_stays_awake_until_it_is_answered() -> None:
    stage = running(0)
    assert stage.is_awake()
    stage.answer(0)
    stage.turn()
    assert not stage.is_awake()
    assert stage.reminder("wake") is None


def test_cancelling_is_a_fact_and_an_order_and_the_schedule_stays_open() -> None:
    stage = running(0, 1)
    stage.answer(1)
    stage.turn(CancelActivity(seq=0))
    [stop] = stage.stops
    assert (stop.seq, stop.row, stop.has_ended) == (0, stage.run(0).row, False)
    assert stage.kinds()[-1] == "ActivityCancelRequested"
    assert isinstance(stage.answer(0), Taken)


def test_cancelling_in_the_turn_that_scheduled_orders_both_in_that_order() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), CancelActivity(seq=0))
    assert [type(order).__name__ for order in stage.orders] == ["RunActivity", "StopActivity"]


def test_cancelling_what_is_answered_orders_nothing() -> None:
    stage = running(0)
    stage.answer(0)
    stage.turn(CancelActivity(seq=0))
    assert stage.stops == []


def test_answers_are_taken_while_suspended() -> None:
    stage = running(0)
    stage.tell(SUSPEND)
    assert isinstance(stage.answer(0), Taken)
    stage.save()
    assert not stage.live.is_turn_due


def test_an_activity_of_the_last_turn_is_run_and_survives_a_crash() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), COMPLETE)
    [run] = stage.runs
    stage.crash()
    assert recover(stage.live) == (run,)


def test_an_activity_of_the_last_turn_is_forgotten_once_it_is_answered() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), COMPLETE)
    stage.crash()
    assert stage.answer(0) is DONE
    assert stage.live.needs_save
    assert recover(stage.live) == (), "not durable yet, but known"
    stage.save()
    assert recover(stage.live) == ()
    stage.crash()
    assert recover(stage.live) == ()
    assert stage.stored.reminders == ()


def test_an_activity_of_the_last_turn_of_a_generation_outlives_it() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), replace(COMPLETE, status=Status.CONTINUED_AS_NEW))
    run = stage.run(0)
    stage.turn(activity(0, "ship"))
    stage.crash()
    assert [order for order in recover(stage.live) if order == run] == [run]
    assert stage.answer(0, run=run) is DONE
    stage.save()
    assert recover(stage.live) == (stage.run(0),)


def test_an_activity_of_the_last_turn_that_was_cancelled_is_not_kept() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), CancelActivity(seq=0), COMPLETE)
    assert stage.stored.reminders == ()
    assert recover(stage.live) == ()


def test_earlier_activities_of_an_ended_instance_are_void() -> None:
    stage = running(0, 1)
    stage.answer(0)
    stage.turn(COMPLETE)
    stage.crash()
    assert recover(stage.live) == ()
