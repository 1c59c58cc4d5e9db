"""Events from outside and from other instances: in order, buffered, once each."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, SendEvent
from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import EventReceived, EventSent, Status, TurnStarted
from holdfast_sidecar.core.errors import InboxFull, InstanceNotFound, InvalidRequest
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Deliver, Rewind
from holdfast_sidecar.core.receive import DONE, Refused, Taken
from tests.unit.sidecar.core.stage import ID, SUSPEND, TERMINATE, Stage, activity, event, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
CONTINUE = replace(COMPLETE, status=Status.CONTINUED_AS_NEW)


def names(stage: Stage) -> list[str]:
    return [fact.name for fact in stage.history if isinstance(fact, EventReceived)]


def begun() -> Stage:
    stage = Stage()
    stage.tell(start())
    stage.turn(activity(0))
    return stage


def test_events_are_kept_in_order_and_in_the_spelling_they_came_with() -> None:
    stage = begun()
    stage.tell(event("Paid", payload="1"))
    stage.tell(event("paid", payload="2"))
    stage.turn()
    assert [(f.name, f.input) for f in stage.history if isinstance(f, EventReceived)] == [("Paid", "1"), ("paid", "2")]


def test_an_event_for_nobody_is_an_error_only_when_it_is_required() -> None:
    stage = Stage()
    assert isinstance(stage.refusal(event()), InstanceNotFound)
    assert stage.tell(replace(event(), is_required=False)) is DONE


def test_an_event_for_an_ended_instance_is_swallowed() -> None:
    stage = begun()
    stage.tell(TERMINATE)
    assert stage.tell(event()) is DONE


def test_an_event_before_the_first_turn_is_buffered() -> None:
    stage = Stage()
    stage.tell(start())
    assert isinstance(stage.tell(event("early")), Taken)
    stage.turn()
    assert stage.kinds() == ["TurnStarted", "WorkflowStarted", "EventReceived"]


def test_an_event_while_suspended_is_buffered() -> None:
    stage = begun()
    stage.tell(SUSPEND)
    assert isinstance(stage.tell(event("early")), Taken)


def test_the_same_sending_twice_is_one_event() -> None:
    stage = begun()
    stage.tell(event("paid", source="s1"))
    assert stage.tell(event("paid", source="s1")) is DONE
    stage.turn()
    assert stage.tell(event("paid", source="s1")) is DONE
    stage.crash()
    assert stage.tell(event("paid", source="s1")) is DONE
    assert isinstance(stage.tell(event("paid", source="s2")), Taken)
    stage.turn()
    assert names(stage) == ["paid", "paid"]


def test_events_without_a_source_are_never_the_same() -> None:
    stage = begun()
    stage.tell(event("paid"))
    assert isinstance(stage.tell(event("paid")), Taken)


def test_a_sending_that_was_not_saved_is_taken_again_after_a_crash() -> None:
    stage = begun()
    stage.tell(event("paid", source="s1"))
    stage.crash()
    assert isinstance(stage.tell(event("paid", source="s1")), Taken)


def test_a_sending_is_known_in_the_next_generation_too() -> None:
    stage = begun()
    stage.tell(event("paid", source="s1"))
    stage.turn(CONTINUE)
    assert stage.tell(event("paid", source="s1")) is DONE
    stage.turn(CONTINUE)
    stage.crash()
    assert stage.tell(event("paid", source="s1")) is DONE


def test_a_sending_that_waits_while_a_generation_ends_is_known_in_the_next() -> None:
    stage = begun()
    stage.answer(0)
    turn = stage.think()
    stage.tell(event("paid", source="s1"))
    stage.close(turn, CONTINUE)
    assert stage.tell(event("paid", source="s1")) is DONE
    stage.turn()
    assert names(stage) == ["paid"]


def test_what_is_remembered_of_earlier_generations_is_bounded() -> None:
    stage = begun()
    for round_ in range(40):
        for number in range(5):
            stage.tell(event("paid", source=f"{round_}-{number}"))
        stage.turn(CONTINUE)
    assert len(stage.stored.record.seen_sources) <= 64
    assert stage.tell(event("paid", source="39-4")) is DONE


def test_a_new_run_under_the_same_id_knows_nothing_of_the_old_ones_events() -> None:
    stage = begun()
    stage.tell(event("paid", source="s1"))
    stage.turn(COMPLETE)
    stage.tell(start(ID, "run-2"))
    assert isinstance(stage.tell(event("paid", source="s1")), Taken)


def test_an_event_that_came_too_late_for_a_run_is_new_to_its_rewind() -> None:
    stage = begun()
    stage.answer(0)
    turn = stage.think()
    stage.tell(event("paid", source="s1"))
    stage.close(turn, replace(COMPLETE, status=Status.FAILED))
    stage.tell(Rewind(instance_id=ID))
    assert isinstance(stage.tell(event("paid", source="s1")), Taken)


def test_a_full_inbox_says_no_and_what_to_do() -> None:
    stage = Stage(limits=Limits(inbox_events_max=2))
    stage.tell(start())
    stage.tell(event("one"))
    error = stage.refusal(event("two"))
    assert isinstance(error, InboxFull)
    assert ID in str(error)
    assert "inbox_events_max" in str(error)


def test_only_events_suspends_and_resumes_are_delivered() -> None:
    stage = begun()
    message = Deliver(instance_id=ID, event=encode_event(TurnStarted(at=0)))
    assert isinstance(stage.refusal(message), InvalidRequest)


def test_a_sent_event_is_a_fact_and_a_message_in_the_outbox() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(SendEvent(seq=4, instance_id="other", name="paid", input="1"))
    sent = stage.last(EventSent)
    assert (sent.seq, sent.instance_id, sent.name, sent.input) == (4, "other", "paid", "1")
    [send] = stage.sends
    assert isinstance(send.message, Deliver)
    assert not send.message.is_required
    received = decode_event(send.message.event)
    assert isinstance(received, EventReceived)
    assert (received.name, received.input) == ("paid", "1")
    assert received.source
    reminder = stage.reminder(send.name)
    assert reminder is not None
    assert reminder.due_at > stage.now


def test_a_sent_event_stays_in_the_outbox_until_it_is_confirmed() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(SendEvent(seq=0, instance_id="other", name="paid"))
    stage.crash()
    assert list(stage.live.outbox) == ["send-1"]
    stage.live.confirmed.append("send-1")
    assert stage.live.needs_save
    stage.save()
    assert stage.live.outbox == {}
    stage.crash()
    assert (stage.live.outbox, stage.stored.reminders) == ({}, ())


def test_two_sendings_never_have_the_same_source() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(SendEvent(seq=0, instance_id="other", name="a"), SendEvent(seq=0, instance_id="other", name="a"))
    stage.tell(event())
    stage.turn(SendEvent(seq=0, instance_id="other", name="a"))
    sources = {source_of(send.message) for send in stage.sends}
    assert len(sources) == 3


def test_an_event_to_itself_is_received() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(SendEvent(seq=0, instance_id=ID, name="me"))
    [send] = stage.sends
    assert isinstance(stage.tell(send.message), Taken)
    assert stage.tell(send.message) is DONE


def test_confirmations_are_written_with_the_next_turn() -> None:
    stage = Stage()
    stage.tell(start())
    stage.turn(SendEvent(seq=0, instance_id="other", name="paid"))
    stage.live.confirmed.append("send-1")
    stage.tell(event())
    commits = stage.commits
    stage.turn()
    assert (stage.commits, stage.stored.reminders) == (commits + 1, ())


def test_a_terminate_of_nobody_is_an_error_only_when_it_is_required() -> None:
    stage = Stage()
    assert isinstance(stage.tell(TERMINATE), Refused)
    assert stage.tell(replace(TERMINATE, is_required=False)) is DONE


def source_of(message: object) -> str:
    assert isinstance(message, Deliver)
    received = decode_event(message.event)
    assert isinstance(received, EventReceived)
    return received.source
