"""Starting: new ids, taken ids under every policy, starts for later, repeated starts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.codec import encode_event
from holdfast_proto.history import Parent, Status, WorkflowStarted
from holdfast_sidecar.core.errors import InstanceExists, InvalidInstanceId, InvalidRequest
from holdfast_sidecar.core.messages import ChildAnswer, ReusePolicy, Start
from holdfast_sidecar.core.receive import DONE, Decided
from tests.unit.sidecar.core.stage import (
    ID,
    RESUME,
    SECOND,
    SUSPEND,
    TERMINATE,
    Stage,
    activity,
    event,
    start,
    started,
    timer,
)

ALL = frozenset(Status)
COMPLETE = CompleteWorkflow(seq=1, status=Status.COMPLETED, result='"ok"')
CONTINUE = CompleteWorkflow(seq=1, status=Status.CONTINUED_AS_NEW, result="2")


def with_policy(policy: ReusePolicy, execution_id: str = "run-2") -> Start:
    return replace(start(ID, execution_id), policy=policy)


def ended(status: Status = Status.COMPLETED) -> Stage:
    stage = Stage()
    stage.tell(start())
    stage.turn(replace(COMPLETE, status=status))
    return stage


def test_a_start_makes_a_pending_instance_whose_start_is_its_first_message() -> None:
    stage = Stage()
    assert isinstance(stage.tell(start(tags={"team": "red"}, version="v2", input='"x"')), Decided)
    record = stage.stored.record
    assert (record.status, record.generation, record.version) == (Status.PENDING, 1, 1)
    assert (record.execution_id, record.tags, record.label) == ("run-1", {"team": "red"}, "v2")
    assert stage.inbox == [started(tags={"team": "red"}, version="v2", input='"x"')]
    assert stage.reminder("wake") is not None
    assert stage.live.is_turn_due


def test_the_same_start_again_changes_nothing() -> None:
    stage = Stage()
    stage.tell(start())
    assert stage.tell(start()) is DONE
    stage.turn(activity(0))
    assert stage.tell(start()) is DONE
    assert stage.stored.record.generation == 1


def test_the_same_start_again_changes_nothing_in_a_later_generation() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(CONTINUE)
    assert stage.tell(start()) is DONE
    stage.turn(COMPLETE)
    assert stage.tell(start()) is DONE
    assert stage.status() is Status.COMPLETED


def test_an_active_id_is_taken() -> None:
    stage = Stage()
    stage.tell(start())
    error = stage.refusal(start(ID, "run-2"))
    assert isinstance(error, InstanceExists)
    assert ID in str(error)
    assert "already exists" in str(error)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED])
def test_an_ended_id_may_be_used_again(status: Status) -> None:
    stage = ended(status)
    assert isinstance(stage.tell(start(ID, "run-2", input="9")), Decided)
    record = stage.stored.record
    assert (record.status, record.generation, record.execution_id) == (Status.PENDING, 2, "run-2")
    assert (record.completed_at, record.started_at, record.history_length) == (None, None, 0)
    assert stage.inbox == [started(ID, "run-2", input="9")]
    stage.turn(activity(0))
    assert stage.stored.record.status is Status.RUNNING


def test_a_new_run_does_not_inherit_the_custom_status() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(COMPLETE, custom_status="done")
    stage.tell(start(ID, "run-2"))
    assert stage.stored.custom_status is None


def test_a_unique_id_is_refused_even_when_the_old_run_has_ended() -> None:
    error = ended().refusal(with_policy(ReusePolicy(replaceable=frozenset())))
    assert isinstance(error, InstanceExists)
    assert "COMPLETED" in str(error)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.TERMINATED])
def test_a_status_that_the_policy_does_not_list_is_refused(status: Status) -> None:
    other = frozenset({Status.FAILED})
    assert isinstance(ended(status).refusal(with_policy(ReusePolicy(replaceable=other))), InstanceExists)


def test_a_kept_status_answers_ok_and_leaves_the_old_run() -> None:
    stage = Stage()
    stage.tell(start())
    assert stage.tell(with_policy(ReusePolicy(kept=frozenset({Status.PENDING})))) is DONE
    assert stage.stored.record.execution_id == "run-1"


def test_a_running_instance_is_replaced_when_the_policy_says_so() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0), activity(1))
    stage.tell(event("lost"))
    assert isinstance(stage.tell(with_policy(ReusePolicy(replaceable=ALL))), Decided)
    assert stage.stored.activities == ()
    assert stage.inbox == [started(ID, "run-2")]
    assert stage.answer(0) is DONE


def test_a_replaced_child_tells_its_parent_that_it_was_terminated() -> None:
    stage = Stage()
    parent = Parent(instance_id="boss", seq=3, execution_id="boss-run", row=5)
    stage.tell(start(parent=parent))
    stage.tell(with_policy(ReusePolicy(replaceable=ALL)))
    [send] = stage.sends
    assert isinstance(send.message, ChildAnswer)
    assert (send.message.instance_id, send.message.execution_id, send.message.row) == ("boss", "boss-run", 5)


def test_what_the_old_run_owes_to_others_is_still_sent_by_the_new_one() -> None:
    stage = Stage()
    stage.tell(start(parent=Parent(instance_id="boss", seq=3, execution_id="boss-run", row=5)))
    stage.turn(COMPLETE)
    stage.tell(start(ID, "run-2"))
    assert list(stage.live.outbox) == ["send-1"]


def test_a_confirmation_for_the_old_run_is_written_by_the_new_one() -> None:
    stage = Stage()
    stage.tell(start(parent=Parent(instance_id="boss", seq=3, execution_id="boss-run", row=5)))
    stage.turn(COMPLETE)
    stage.live.confirmed.append("send-1")
    stage.tell(start(ID, "run-2"))
    stage.save()
    assert stage.reminder("send-1") is None


def test_timers_of_a_replaced_run_are_gone() -> None:
    from_now = 5 * SECOND
    stage = Stage()
    stage.tell(start())
    stage.turn(timer(0, stage.now + from_now))
    stage.tell(with_policy(ReusePolicy(replaceable=ALL)))
    assert stage.reminder("timer-0") is None


def test_a_start_for_later_waits_for_its_reminder() -> None:
    stage = Stage()
    later = stage.now + 60 * SECOND
    stage.tell(start(scheduled_at=later))
    assert stage.live.starts_at() == later
    reminder = stage.reminder("start")
    assert reminder is not None
    assert reminder.due_at == later
    assert (stage.status(), stage.stored.record.scheduled_at) == (Status.PENDING, later)


@pytest.mark.parametrize("scheduled_at", [None, 0, -1, 1_000 * SECOND])
def test_a_start_that_is_due_needs_no_reminder(scheduled_at: int | None) -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=scheduled_at))
    assert stage.reminder("start") is None
    assert stage.live.starts_at() <= stage.now


def test_a_start_that_was_due_stays_due_under_a_clock_that_is_behind() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=stage.now - 1))
    stage.now -= 2 * SECOND
    stage.crash()
    assert stage.live.starts_at() <= stage.now


def test_the_first_turn_removes_the_reminder_of_the_start() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=stage.now + SECOND))
    stage.now += SECOND
    stage.turn(activity(0))
    assert stage.reminder("start") is None


def test_a_start_in_the_far_future_fits_every_store() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=253_402_300_799_999_999_999))
    reminder = stage.reminder("start")
    assert reminder is not None
    assert reminder.due_at < 2**63


def test_a_start_for_later_that_replaces_another_keeps_only_its_own_reminder() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=stage.now + SECOND))
    later = replace(start(ID, "run-2", scheduled_at=stage.now + 9 * SECOND), policy=ReusePolicy(replaceable=ALL))
    stage.tell(later)
    reminder = stage.reminder("start")
    assert reminder is not None
    assert reminder.due_at == stage.now + 9 * SECOND
    stage.tell(with_policy(ReusePolicy(replaceable=ALL), "run-3"))
    assert stage.reminder("start") is None


def test_events_before_the_first_turn_stand_behind_the_start() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=stage.now + SECOND))
    stage.tell(event("early"))
    stage.save()
    stage.crash()
    stage.turn(activity(0))
    assert stage.kinds() == ["TurnStarted", "WorkflowStarted", "EventReceived", "ActivityScheduled"]


def test_a_scheduled_start_can_be_suspended_resumed_and_terminated() -> None:
    stage = Stage()
    stage.tell(start(scheduled_at=stage.now + SECOND))
    stage.tell(SUSPEND)
    assert stage.status() is Status.SUSPENDED
    stage.tell(RESUME)
    assert stage.status() is Status.PENDING
    stage.tell(TERMINATE)
    assert (stage.status(), stage.reminder("start")) == (Status.TERMINATED, None)


@pytest.mark.parametrize("instance_id", ["", "x" * 257, "a\nb"])
def test_a_child_or_detached_start_with_an_impossible_id_is_refused(instance_id: str) -> None:
    stage = Stage(instance_id=instance_id)
    assert isinstance(stage.refusal(start(instance_id)), InvalidInstanceId)


def test_a_start_without_a_name_is_refused() -> None:
    stage = Stage()
    nameless = WorkflowStarted(at=0, name="", instance_id=ID, execution_id="run-1")
    error = stage.refusal(Start(instance_id=ID, event=encode_event(nameless)))
    assert isinstance(error, InvalidRequest)
