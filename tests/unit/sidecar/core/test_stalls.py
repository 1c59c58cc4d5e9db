"""What makes an instance stall, what it says, and that nothing is lost by it; the marks that a turn leaves."""

from __future__ import annotations

import pytest

from holdfast_proto.actions import Action, CompleteWorkflow, ReplaceHistory, SendEvent, Stall, StartChild, StartDetached
from holdfast_proto.history import StallReason, Status, TurnStarted
from holdfast_sidecar.core import upkeep
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.turn import Contradiction
from tests.unit.sidecar.core.stage import Stage, activity, event, start

COMPLETE = CompleteWorkflow(seq=99, status=Status.COMPLETED)


def begun(limits: Limits | None = None) -> Stage:
    stage = Stage(limits=limits or Limits())
    stage.tell(start())
    return stage


def contradiction(stage: Stage, *actions: Action, **result: object) -> Contradiction:
    before = stage.stored
    with pytest.raises(Contradiction) as caught:
        stage.turn(*actions, **result)
    assert stage.stored == before
    return caught.value


def test_a_stalled_instance_says_why_and_keeps_its_inbox() -> None:
    stage = begun()
    stage.tell(event("kept"))
    stage.apply(upkeep.stall(stage.live, StallReason.VERSION_NOT_AVAILABLE, "no v9 here", now=stage.now))
    record = stage.stored.record
    assert record.status is Status.STALLED
    assert record.stall is not None
    assert (record.stall.reason, record.stall.description) == ("VERSION_NOT_AVAILABLE", "no v9 here")
    assert len(stage.stored.inbox) == 2
    assert stage.history == []


def test_a_turn_that_succeeds_ends_the_stall() -> None:
    stage = begun()
    for _ in range(3):
        stage.apply(upkeep.stall(stage.live, StallReason.NONDETERMINISM, "x", now=stage.now))
    assert stage.stored.record.attempts == 3
    stage.crash()
    stage.turn(activity(0))
    record = stage.stored.record
    assert (record.status, record.stall, record.attempts) == (Status.RUNNING, None, 0)


@pytest.mark.parametrize("reason", [StallReason.VERSION_NOT_AVAILABLE, StallReason.NONDETERMINISM])
def test_a_worker_may_say_that_it_cannot_go_on(reason: StallReason) -> None:
    found = contradiction(begun(), activity(0), Stall(reason=reason, description="no v9"))
    assert (found.reason, found.description) == (reason, "no v9")


def test_a_history_that_nobody_asked_to_rewind_is_not_replaced() -> None:
    assert contradiction(begun(), ReplaceHistory(history=())).reason is StallReason.CONTRADICTION


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PENDING, Status.SUSPENDED, Status.STALLED])
def test_a_run_cannot_end_with_a_status_that_is_no_end(status: Status) -> None:
    assert status.name in contradiction(begun(), CompleteWorkflow(seq=0, status=status)).description


def test_patches_that_the_history_was_made_with_must_be_there() -> None:
    stage = begun()
    stage.turn(patches=("a", "b"))
    assert stage.last(TurnStarted).patches == ("a", "b")
    stage.tell(event())
    stage.turn(patches=("b", "a", "c"))
    stage.crash()
    stage.tell(event())
    found = contradiction(stage, patches=("a", "b"))
    assert found.reason is StallReason.PATCH_MISMATCH
    assert "c" in found.description


def test_naming_no_patch_means_having_none_only_for_a_worker_that_names_all() -> None:
    stage = begun()
    stage.turn(patches=("a",))
    stage.tell(event())
    assert contradiction(stage, names_all_patches=True).reason is StallReason.PATCH_MISMATCH
    stage.turn()


def test_a_new_generation_has_no_patches_yet() -> None:
    stage = begun()
    stage.turn(CompleteWorkflow(seq=0, status=Status.CONTINUED_AS_NEW), patches=("a",))
    stage.turn(patches=("b",))


BIG = "x" * 101


@pytest.mark.parametrize(
    "action",
    [
        activity(0, input=BIG),
        StartChild(seq=0, instance_id="k", name="k", input=BIG),
        StartDetached(seq=0, instance_id="k", name="k", input=BIG),
        SendEvent(seq=0, instance_id="k", name="k", input=BIG),
        CompleteWorkflow(seq=0, status=Status.COMPLETED, result=BIG),
        CompleteWorkflow(seq=0, status=Status.CONTINUED_AS_NEW, result=BIG),
    ],
    ids=lambda action: type(action).__name__,
)
def test_a_payload_over_the_limit_stalls_and_says_what_to_do(action: Action) -> None:
    found = contradiction(begun(Limits(payload_bytes_max=100)), action)
    assert found.reason is StallReason.PAYLOAD_SIZE_EXCEEDED
    assert "payload_bytes_max" in found.description


def test_a_custom_status_over_the_limit_stalls_too() -> None:
    found = contradiction(begun(Limits(payload_bytes_max=100)), custom_status=BIG)
    assert "custom status" in found.description


def test_payloads_are_measured_in_bytes() -> None:
    stage = begun(Limits(payload_bytes_max=100))
    assert contradiction(stage, activity(0, input="ä" * 51)).reason is StallReason.PAYLOAD_SIZE_EXCEEDED
    stage.turn(activity(0, input="ä" * 50))


def test_too_many_actions_stall() -> None:
    found = contradiction(begun(Limits(actions_max=2)), *(activity(seq) for seq in range(3)))
    assert "3 actions" in found.description


def test_too_long_a_history_stalls_and_names_the_way_out() -> None:
    stage = begun(Limits(history_events_max=3))
    found = contradiction(stage, activity(0), activity(1))
    assert found.reason is StallReason.HISTORY_LIMIT_EXCEEDED
    assert "continue as new" in found.description
    stage.turn(activity(0))


def test_too_large_a_history_stalls() -> None:
    found = contradiction(begun(Limits(history_bytes_max=200)), activity(0, input="x" * 200))
    assert found.reason is StallReason.HISTORY_LIMIT_EXCEEDED


def test_a_custom_status_stays_until_it_is_set_or_cleared() -> None:
    stage = begun()
    stage.turn(custom_status="one")
    stage.tell(event())
    stage.turn()
    assert stage.custom_status() == "one"
    stage.tell(event())
    stage.turn(custom_status=None)
    assert stage.custom_status() is None
    stage.tell(event())
    stage.turn(COMPLETE, custom_status="")
    assert stage.custom_status() == ""


def test_the_context_of_a_turn_is_given_back_until_a_new_one_comes() -> None:
    stage = begun()
    stage.turn(turn_trace=b"span-1", dialect="microsoft")
    stage.tell(event())
    stage.turn()
    assert stage.stored.record.turn_trace == b"span-1"


def test_the_first_turn_makes_a_pending_instance_run() -> None:
    stage = begun()
    assert stage.status() is Status.PENDING
    stage.turn()
    assert stage.status() is Status.RUNNING
    assert stage.stored.record.started_at == stage.now
