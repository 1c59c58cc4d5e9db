"""Children: started once, answered once, refused, started again; what becomes of them when the parent ends."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, StartChild, StartDetached
from holdfast_proto.codec import decode_event
from holdfast_proto.history import (
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    Failure,
    Status,
    Trace,
    WorkflowStarted,
)
from holdfast_sidecar.core import messages
from holdfast_sidecar.core.decision import Send
from holdfast_sidecar.core.errors import InstanceExists
from holdfast_sidecar.core.receive import DONE, Decided, Taken
from holdfast_sidecar.core.repair import recover
from holdfast_sidecar.core.turn import Contradiction
from tests.unit.sidecar.core.stage import ID, TERMINATE, Stage, event, parent_of, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED, result='"done"')
CONTINUE = replace(COMPLETE, status=Status.CONTINUED_AS_NEW)


def child(seq: int, instance_id: str = "", **fields: Any) -> StartChild:
    return StartChild(seq=seq, instance_id=instance_id, name="ship", **fields)


def parent_with(*children: StartChild) -> Stage:
    stage = Stage()
    stage.tell(start())
    stage.turn(*children)
    return stage


def child_of(send: Send) -> Stage:
    """A stage on which that child was started."""
    stage = Stage(instance_id=send.message.instance_id)
    assert isinstance(stage.tell(send.message), Taken)
    return stage


def test_a_child_is_a_fact_and_a_start_that_names_its_parent() -> None:
    stage = Stage()
    stage.tell(start(version="v1"))
    trace = Trace("00-aa-bb-01")
    asked = StartChild(
        seq=2, instance_id="kid", name="ship", version="7", input="1", trace=trace, tags={"a": "b"}, retry_of="kid-0"
    )
    stage.turn(asked)
    fact = stage.last(ChildScheduled)
    assert (fact.seq, fact.instance_id, fact.name, fact.version, fact.input) == (2, "kid", "ship", "7", "1")
    assert (fact.trace, fact.tags, fact.retry_of) == (trace, {"a": "b"}, "kid-0")
    [send] = stage.sends
    begun = decode_event(start_of(send))
    assert isinstance(begun, WorkflowStarted)
    assert (begun.name, begun.instance_id, begun.version, begun.input) == ("ship", "kid", "7", "1")
    parent = parent_of(send)
    assert (parent.instance_id, parent.seq, parent.row, parent.execution_id) == (ID, 2, 2, "run-1")
    assert (parent.name, parent.version) == ("order", "v1")


def test_a_child_without_an_id_gets_one_of_its_parent_and_number() -> None:
    stage = parent_with(child(26))
    assert stage.last(ChildScheduled).instance_id == f"{ID}:001a"


def test_children_of_different_generations_do_not_collide() -> None:
    stage = parent_with(child(1))
    stage.live.started.add(2)
    stage.tell(event())
    stage.turn(CONTINUE)
    stage.turn(child(1))
    first, second = stage.sends
    assert first.message.instance_id != second.message.instance_id


def test_a_child_tells_its_parent_once_how_it_ended() -> None:
    stage = parent_with(child(0))
    [send] = stage.sends
    kid = child_of(send)
    kid.turn(COMPLETE)
    [answer] = kid.sends
    assert isinstance(stage.tell(answer.message), Taken)
    assert stage.tell(answer.message) is DONE
    stage.turn(COMPLETE)
    completed = stage.last(ChildCompleted)
    assert (completed.seq, completed.result) == (0, '"done"')
    assert stage.tell(answer.message) is DONE


@pytest.mark.parametrize("status", [Status.FAILED, Status.TERMINATED, Status.CANCELED])
def test_a_child_that_did_not_complete_has_failed_for_its_parent(status: Status) -> None:
    stage = parent_with(child(0))
    [send] = stage.sends
    kid = child_of(send)
    kid.turn(CompleteWorkflow(seq=0, status=status))
    [answer] = kid.sends
    stage.tell(answer.message)
    stage.turn()
    failed = stage.last(ChildFailed)
    assert failed.failure.kind
    assert failed.failure.message


def test_a_childs_failure_reaches_its_parent_with_all_of_its_parts() -> None:
    stage = parent_with(child(0))
    kid = child_of(stage.sends[0])
    failure = Failure(kind="Sunk", message="ship lost", stack="at sea", is_non_retryable=True)
    kid.turn(CompleteWorkflow(seq=0, status=Status.FAILED, failure=failure))
    stage.tell(kid.sends[0].message)
    stage.turn()
    assert stage.last(ChildFailed).failure == failure


def test_a_child_that_continues_as_new_answers_only_at_its_end() -> None:
    stage = parent_with(child(0))
    kid = child_of(stage.sends[0])
    kid.turn(CONTINUE)
    assert kid.sends == []
    kid.turn(COMPLETE)
    assert isinstance(stage.tell(kid.sends[0].message), Taken)


def test_a_repeated_start_of_a_child_changes_nothing_even_after_its_end() -> None:
    send = parent_with(child(0)).sends[0]
    kid = child_of(send)
    assert kid.tell(send.message) is DONE
    kid.turn(CONTINUE)
    assert kid.tell(send.message) is DONE
    kid.turn(COMPLETE)
    assert kid.tell(send.message) is DONE


def test_a_retry_starts_an_ended_child_again_under_the_same_id() -> None:
    stage = parent_with(child(0, "kid"))
    kid = child_of(stage.sends[0])
    kid.turn(CompleteWorkflow(seq=0, status=Status.FAILED))
    stage.tell(kid.sends[0].message)
    stage.turn(child(0, "kid"))
    assert isinstance(kid.tell(stage.sends[1].message), Decided)
    assert kid.stored.record.generation == 2
    kid.turn(COMPLETE)
    assert isinstance(stage.tell(kid.sends[-1].message), Taken)
    assert stage.tell(kid.sends[0].message) is DONE


def test_a_child_whose_id_belongs_to_a_running_stranger_is_refused() -> None:
    stage = parent_with(child(0, "kid"))
    stranger = Stage(instance_id="kid")
    stranger.tell(start("kid"))
    assert isinstance(stranger.refusal(stage.sends[0].message), InstanceExists)


def test_a_child_may_take_the_id_of_an_ended_stranger() -> None:
    stage = parent_with(child(0, "kid"))
    stranger = Stage(instance_id="kid")
    stranger.tell(start("kid"))
    stranger.turn(COMPLETE)
    assert isinstance(stranger.tell(stage.sends[0].message), Decided)


def test_a_number_of_an_open_child_cannot_be_used_again() -> None:
    stage = parent_with(child(0))
    stage.tell(event())
    with pytest.raises(Contradiction):
        stage.turn(child(0))


def test_one_turn_cannot_start_two_children_under_one_number() -> None:
    stage = Stage()
    stage.tell(start())
    with pytest.raises(Contradiction):
        stage.turn(child(0), child(0))


def test_recovery_starts_open_children_again_in_the_same_words() -> None:
    stage = parent_with(child(0), child(1), child(2))
    stage.child_answer(stage.sends[1])
    stage.save()
    stage.crash()
    assert recover(stage.live) == (stage.sends[0], stage.sends[2])


def test_an_instance_that_waits_for_a_child_stays_awake() -> None:
    stage = parent_with(child(0))
    assert stage.is_awake()
    stage.child_answer(stage.sends[0])
    stage.turn()
    assert not stage.is_awake()


def test_an_answer_for_an_ended_parent_changes_nothing() -> None:
    stage = parent_with(child(0))
    stage.tell(TERMINATE)
    assert stage.child_answer(stage.sends[0]) is DONE


def test_an_answer_to_an_earlier_generation_changes_nothing() -> None:
    stage = parent_with(child(0))
    stage.live.started.add(2)
    stage.tell(event())
    stage.turn(CONTINUE)
    stage.turn(child(0))
    assert stage.child_answer(stage.sends[0]) is DONE
    assert isinstance(stage.child_answer(stage.sends[1]), Taken)


def test_children_of_the_last_turn_are_started_from_the_outbox() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(child(0), COMPLETE)
    [send] = stage.sends
    assert send.name
    stage.crash()
    assert list(stage.live.outbox) == [send.name]


def test_children_that_may_not_have_been_started_outlive_their_parent() -> None:
    stage = parent_with(child(0), child(1))
    known = stage.sends[0]
    stage.live.started.add(parent_of(known).row)
    stage.tell(event())
    stage.turn(COMPLETE)
    [kept] = [send for send in stage.sends if send.name]
    assert kept.message == stage.sends[1].message
    stage.crash()
    assert list(stage.live.outbox) == [kept.name]


def test_children_that_answered_are_not_started_again_by_the_end() -> None:
    stage = parent_with(child(0), child(1))
    stage.child_answer(stage.sends[0])
    turn = stage.think()
    stage.child_answer(stage.sends[1])
    stage.close(turn, COMPLETE)
    assert stage.live.outbox == {}


def test_a_recursive_terminate_reaches_a_child_that_may_not_have_been_started() -> None:
    stage = parent_with(child(0))
    begin = stage.sends[0].message
    stage.tell(replace(TERMINATE, recurse=True))
    [stop] = [send for send in stage.sends if send.name]
    kid = Stage(instance_id=begin.instance_id)
    assert isinstance(kid.tell(stop.message), Decided)
    assert kid.status() is Status.TERMINATED
    assert kid.kinds() == ["TurnStarted", "WorkflowStarted", "TerminateRequested", "WorkflowCompleted"]
    assert kid.tell(begin) is DONE


def test_a_detached_start_is_a_fact_and_a_message_in_the_outbox() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(StartDetached(seq=3, instance_id="free", name="ship", input="1", tags={"a": "b"}))
    fact = stage.last(DetachedStarted)
    assert (fact.seq, fact.instance_id) == (3, "free")
    [send] = stage.sends
    assert isinstance(send.message, messages.Start)
    begun = decode_event(send.message.event)
    assert isinstance(begun, WorkflowStarted)
    assert (begun.parent, begun.name, begun.input, begun.tags) == (None, "ship", "1", {"a": "b"})
    assert stage.reminder(send.name) is not None
    assert not stage.is_awake()


def test_detached_starts_without_an_id_are_all_different() -> None:
    stage = Stage()
    stage.tell(start())
    nameless = StartDetached(seq=3, instance_id="", name="ship")
    stage.turn(nameless, nameless)
    first, second = stage.sends
    assert first.message.instance_id != second.message.instance_id


def test_a_detached_start_that_comes_twice_starts_once() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(StartDetached(seq=3, instance_id="free", name="ship"))
    free = child_of(stage.sends[0])
    free.turn(CONTINUE)
    free.turn(COMPLETE)
    assert free.tell(stage.sends[0].message) is DONE


def start_of(send: Send) -> bytes:
    assert isinstance(send.message, messages.StartChild)
    return send.message.event
