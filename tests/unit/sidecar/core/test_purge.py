"""Purge and retention: everything of an instance goes, and nothing else."""

from __future__ import annotations

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Parent, Status
from holdfast_sidecar.core.errors import Unavailable, WrongState
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Purge
from holdfast_sidecar.core.receive import DONE, Deleted
from tests.unit.sidecar.core.stage import ID, SECOND, Stage, activity, start

COMPLETE = CompleteWorkflow(seq=99, status=Status.COMPLETED)
PURGE = Purge(instance_id=ID)
FORCE = Purge(instance_id=ID, is_forced=True)


def test_an_ended_instance_is_deleted_with_all_of_its_rows() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(COMPLETE)
    assert isinstance(stage.tell(PURGE), Deleted)
    assert stage.store.stored(ID) is None
    assert stage.store.memory.due == {}


def test_an_active_instance_is_deleted_only_by_force() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0))
    error = stage.refusal(PURGE)
    assert isinstance(error, WrongState)
    assert "orchestration has not yet completed" in str(error)
    assert isinstance(stage.tell(FORCE), Deleted)
    assert stage.store.memory.due == {}


def test_purging_what_is_gone_changes_nothing() -> None:
    assert Stage().tell(PURGE) is DONE


def test_an_instance_whose_messages_are_on_their_way_is_not_purged_yet() -> None:
    stage = Stage()
    stage.tell(start(parent=Parent(instance_id="boss", seq=1, execution_id="b", row=2)))
    stage.turn(COMPLETE)
    assert isinstance(stage.refusal(PURGE), Unavailable)
    stage.live.confirmed.append("send-1")
    stage.save()
    assert isinstance(stage.tell(PURGE), Deleted)


def test_an_id_is_free_after_a_purge() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(COMPLETE)
    stage.tell(PURGE)
    stage.tell(start())
    assert stage.stored.record.version == 1


def test_retention_is_a_reminder_from_the_end_on() -> None:
    stage = Stage(limits=Limits(retention={Status.COMPLETED: 60 * SECOND}))
    stage.tell(start())
    stage.turn(COMPLETE)
    reminder = stage.reminder("retention")
    assert reminder is not None
    assert reminder.due_at == stage.now + 60 * SECOND


def test_a_status_without_retention_is_kept_for_ever() -> None:
    stage = Stage(limits=Limits(retention={Status.FAILED: 60 * SECOND}))
    stage.tell(start())
    stage.turn(COMPLETE)
    assert stage.stored.reminders == ()


def test_a_new_run_is_not_purged_by_the_old_ones_retention() -> None:
    stage = Stage(limits=Limits(retention={Status.COMPLETED: 60 * SECOND}))
    stage.tell(start())
    stage.turn(COMPLETE)
    stage.tell(start(ID, "run-2"))
    assert stage.reminder("retention") is None
