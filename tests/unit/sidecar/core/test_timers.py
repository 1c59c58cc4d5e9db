"""Timers: due, past, negative, never; fired once; cancelled; used again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CancelTimer, CompleteWorkflow
from holdfast_proto.history import Status, TimerCreated, TimerFired, TimerOrigin
from holdfast_sidecar.core.receive import DONE, Taken, fire_timer
from holdfast_sidecar.core.turn import Contradiction
from tests.unit.sidecar.core.stage import SECOND, SUSPEND, TERMINATE, Stage, activity, event, start, timer

NEVER = 253_402_300_799_999_999_999
COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
CONTINUE = replace(COMPLETE, status=Status.CONTINUED_AS_NEW)


def waiting(*fire_ats: int) -> Stage:
    stage = Stage()
    stage.tell(start())
    stage.turn(*(timer(seq, fire_at) for seq, fire_at in enumerate(fire_ats)))
    return stage


def test_a_timer_is_a_fact_and_a_reminder() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(3, 2_000 * SECOND, name="nap", origin=TimerOrigin.EVENT_TIMEOUT, origin_name="paid"))
    fact = stage.last(TimerCreated)
    assert (fact.seq, fact.fire_at, fact.name) == (3, 2_000 * SECOND, "nap")
    assert (fact.origin, fact.origin_name) == (TimerOrigin.EVENT_TIMEOUT, "paid")
    reminder = stage.reminder("timer-3")
    assert reminder is not None
    assert reminder.due_at == 2_000 * SECOND


def test_an_instance_that_only_waits_for_a_timer_is_not_awake() -> None:
    stage = waiting(2_000 * SECOND)
    assert not stage.is_awake()


def test_a_timer_fires_once_and_its_turn_removes_the_reminder() -> None:
    stage = waiting(1_001 * SECOND)
    assert isinstance(stage.fire(0), Taken)
    assert stage.fire(0) is DONE
    stage.turn()
    fired = stage.last(TimerFired)
    assert (fired.seq, fired.fire_at) == (0, 1_001 * SECOND)
    assert stage.reminder("timer-0") is None


@pytest.mark.parametrize("fire_at", [0, -1, -62_135_596_800_000_000_000, 1])
def test_a_timer_of_the_past_is_due_at_once(fire_at: int) -> None:
    stage = waiting(fire_at)
    reminder = stage.reminder("timer-0")
    assert reminder is not None
    assert 0 < reminder.due_at <= stage.now
    assert isinstance(stage.fire(0), Taken)


def test_a_timer_for_never_is_kept_in_history_and_has_no_reminder() -> None:
    stage = waiting(NEVER)
    assert stage.last(TimerCreated).fire_at == NEVER
    assert stage.stored.reminders == ()
    assert not stage.is_awake()


def test_a_timer_after_2262_fits_every_store() -> None:
    stage = waiting(2**63 + 5)
    reminder = stage.reminder("timer-0")
    assert reminder is not None
    assert reminder.due_at == 2**63 - 1
    assert isinstance(stage.fire(0), Taken)


def test_a_fired_timer_that_was_saved_is_known_after_a_crash() -> None:
    stage = waiting(1_001 * SECOND)
    stage.fire(0)
    stage.save()
    stage.crash()
    assert stage.fire(0) is DONE


def test_a_fired_timer_that_was_not_saved_fires_again_after_a_crash() -> None:
    stage = waiting(1_001 * SECOND)
    stage.fire(0)
    stage.crash()
    assert isinstance(stage.fire(0), Taken)


def test_timers_fire_in_the_order_in_which_they_are_told() -> None:
    stage = waiting(1_001 * SECOND, 1_002 * SECOND)
    stage.fire(1)
    stage.fire(0)
    stage.turn()
    assert [fact.seq for fact in stage.history if isinstance(fact, TimerFired)] == [1, 0]


def test_a_timer_keeps_running_while_suspended() -> None:
    stage = waiting(1_001 * SECOND)
    stage.tell(SUSPEND)
    assert isinstance(stage.fire(0), Taken)
    stage.save()
    assert not stage.live.is_turn_due


def test_a_cancelled_timer_has_no_reminder_and_never_fires() -> None:
    stage = waiting(1_001 * SECOND, 1_002 * SECOND)
    stage.fire(0)
    stage.turn(CancelTimer(seq=1))
    assert stage.stored.reminders == ()
    assert fire_timer(stage.live, 1, due_at=1_002 * SECOND, now=1_002 * SECOND) is DONE
    assert stage.kinds()[-1] == "TimerCanceled"


def test_a_firing_that_waits_while_its_timer_is_cancelled_is_dropped() -> None:
    stage = waiting(1_001 * SECOND, 1_002 * SECOND)
    stage.fire(0)
    turn = stage.think()
    stage.tell(event("before"))
    stage.fire(1)
    stage.tell(event("after", source="s1"))
    stage.close(turn, CancelTimer(seq=1), timer(1, 1_005 * SECOND))
    assert [type(fact).__name__ for fact in stage.inbox] == ["EventReceived", "EventReceived"]
    assert stage.tell(event("after", source="s1")) is DONE
    assert isinstance(stage.fire(1), Taken)


def test_an_answer_that_waits_beside_a_dropped_firing_is_still_known() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(0, 1_001 * SECOND), activity(1))
    stage.tell(event())
    turn = stage.think()
    stage.fire(0)
    stage.answer(1)
    stage.close(turn, CancelTimer(seq=0))
    assert stage.answer(1) is DONE


def test_a_timer_that_is_made_and_cancelled_in_one_turn_leaves_no_reminder() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(0, 2_000 * SECOND), CancelTimer(seq=0))
    assert stage.stored.reminders == ()
    assert stage.live.open.timers == {}


def test_a_number_may_be_used_again_after_its_timer_fired() -> None:
    stage = waiting(1_001 * SECOND)
    stage.fire(0)
    stage.turn(timer(0, 1_005 * SECOND))
    reminder = stage.reminder("timer-0")
    assert reminder is not None
    assert reminder.due_at == 1_005 * SECOND


def test_a_number_may_be_used_again_after_its_timer_was_cancelled() -> None:
    stage = waiting(1_001 * SECOND, 1_002 * SECOND)
    stage.fire(1)
    stage.turn(CancelTimer(seq=0), timer(0, 1_005 * SECOND))
    reminder = stage.reminder("timer-0")
    assert reminder is not None
    assert reminder.due_at == 1_005 * SECOND


def test_a_timer_may_be_made_cancelled_and_made_again_in_one_turn() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(0, 1_001 * SECOND), CancelTimer(seq=0), timer(0, 1_005 * SECOND))
    assert isinstance(stage.fire(0), Taken)


def test_a_number_whose_timer_still_runs_cannot_be_used_again() -> None:
    stage = waiting(1_001 * SECOND, 1_002 * SECOND)
    stage.fire(1)
    with pytest.raises(Contradiction):
        stage.turn(timer(0, 1_005 * SECOND))


def test_a_reminder_of_an_earlier_timer_with_that_number_fires_nothing() -> None:
    stage = waiting(1_001 * SECOND)
    stage.fire(0)
    stage.turn(timer(0, 1_005 * SECOND))
    assert fire_timer(stage.live, 0, due_at=1_001 * SECOND, now=1_002 * SECOND) is DONE


def test_timers_of_an_ended_instance_are_void() -> None:
    stage = waiting(1_001 * SECOND)
    stage.tell(TERMINATE)
    assert stage.stored.reminders == ()
    assert fire_timer(stage.live, 0, due_at=1_001 * SECOND, now=1_002 * SECOND) is DONE


def test_a_timer_made_in_the_last_turn_leaves_no_reminder() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(0, 2_000 * SECOND), COMPLETE)
    assert stage.stored.reminders == ()


def test_a_timer_made_in_the_last_turn_of_a_generation_leaves_no_reminder() -> None:
    stage = waiting(1_001 * SECOND)
    stage.fire(0)
    stage.turn(timer(0, 2_000 * SECOND), timer(1, 2_000 * SECOND), CONTINUE)
    assert [reminder.name for reminder in stage.stored.reminders] == ["wake"]


def test_a_timer_of_the_last_generation_does_not_fire_for_the_next() -> None:
    stage = waiting(1_001 * SECOND, 1_009 * SECOND)
    stage.fire(0)
    stage.turn(CONTINUE)
    stage.turn(timer(1, 1_500 * SECOND))
    assert fire_timer(stage.live, 1, due_at=1_009 * SECOND, now=1_010 * SECOND) is DONE
