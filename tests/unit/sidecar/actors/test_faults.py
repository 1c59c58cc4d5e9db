"""The store fails in every way at every step: nothing is lost, nothing happens twice, everything goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from holdfast_proto.actions import CompleteWorkflow, SendEvent, Stall, StartChild
from holdfast_proto.history import EventReceived, StallReason, Status
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.actors.workflow import FAILURES_MAX
from holdfast_sidecar.core.errors import Kind, NotOwner, StorageFull, Unavailable
from holdfast_sidecar.core.messages import Purge
from holdfast_sidecar.core.state import View
from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.faults import FailBefore, Fault, FencedBy, LoseAnswer, Slow
from tests.unit.sidecar.actors.house import Ask, House
from tests.unit.sidecar.core.stage import ID, RESUME, SECOND, SUSPEND, TERMINATE, activity, event, start, timer

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
SETTLED = 10.0  # seconds, more than all retries take
FAULTS: Sequence[Fault] = (FailBefore(), LoseAnswer())


@pytest.fixture(params=FAULTS, ids=lambda fault: type(fault).__name__)
def fault(request: pytest.FixtureRequest) -> Fault:
    found: Fault = request.param
    return found


def test_a_start_is_made_once(house: House, fault: Fault) -> None:
    house.fail({"commit": [fault]})
    asked = house.tell(start())
    house.advance(SETTLED)
    assert asked.is_ok
    assert house.record().generation == 1
    house.turn(COMPLETE)


def test_an_event_is_taken_once(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn()
    house.fail({"commit": [fault]})
    asked = house.tell(event(source="s1"))
    house.advance(SETTLED)
    assert asked.is_ok
    house.turn(COMPLETE)
    assert house.kinds().count("EventReceived") == 1


def test_a_stalled_instance_whose_second_try_a_failing_store_has_cut_off_is_tried_again(
    house: House, fault: Fault
) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    house.connect()
    assert house.has_turn
    house.fail({"commit": [fault]})
    house.tell(event())
    house.advance(SETTLED)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_turn_counts_once_and_its_activities_run(house: House, fault: Fault) -> None:
    house.tell(start())
    house.fail({"commit": [fault]})
    house.turn(activity(0))
    house.advance(SETTLED)
    if house.has_turn:
        house.turn(activity(0))
    house.answer(0)
    house.turn(COMPLETE)
    assert house.kinds().count("ActivityScheduled") == 1
    assert house.status() is Status.COMPLETED


def test_an_answer_counts_once(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.fail({"commit": [fault]})
    asked = house.answer(0)
    house.advance(SETTLED)
    assert asked.is_ok
    house.turn(COMPLETE)
    assert house.kinds().count("ActivityCompleted") == 1
    assert house.worker.activities_seen == 1


def test_a_timer_fires_once(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn(timer(0, house.clock.now_ns() + 5 * SECOND))
    house.fail({"commit": [fault]})
    house.advance(5 + SETTLED)
    house.turn(COMPLETE)
    assert house.kinds().count("TimerFired") == 1


def test_a_timer_of_a_doubtful_turn_fires(house: House, fault: Fault) -> None:
    house.tell(start())
    due_at = house.clock.now_ns() + 15 * SECOND
    house.fail({"commit": [fault]})
    house.turn(timer(0, due_at))
    house.advance(SETTLED)
    if house.has_turn:
        house.turn(timer(0, due_at))
    house.advance(SETTLED)
    assert [type(fact).__name__ for fact in house.told()] == ["TurnStarted", "TimerFired"]


def test_a_fired_timer_is_not_lost_when_its_turn_is_doubtful(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn(timer(0, house.clock.now_ns() + SECOND))
    house.advance(1.0)
    house.fail({"commit": [fault]})
    house.turn(activity(1))
    house.advance(SETTLED)
    if house.has_turn:
        house.turn(activity(1))
    house.answer(1)
    house.turn(COMPLETE)
    assert house.kinds().count("TimerFired") == 1


def test_suspend_resume_and_terminate_take_effect_once(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn()
    for message, expected in ((SUSPEND, Status.SUSPENDED), (RESUME, Status.RUNNING), (TERMINATE, Status.TERMINATED)):
        house.fail({"commit": [fault]})
        asked = house.tell(message)
        house.advance(SETTLED)
        assert asked.is_ok
        assert house.status() is expected
    assert house.kinds().count("Suspended") == 1


def test_a_purge_is_answered_ok(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn(COMPLETE)
    house.fail({"commit": [fault]})
    asked = house.tell(Purge(instance_id=ID))
    house.advance(SETTLED)
    assert asked.is_ok
    assert house.stored() is None


@pytest.mark.parametrize("position", range(4))
def test_a_message_reaches_its_receiver_once(house: House, fault: Fault, position: int) -> None:
    house.tell(start("other", "other-run"))
    house.turn(instance_id="other")
    house.tell(start())
    house.fail({"commit": [None] * position + [fault]})
    house.turn(SendEvent(seq=0, instance_id="other", name="paid"))
    house.advance(SETTLED)
    if "EventSent" not in house.kinds():
        house.turn(SendEvent(seq=0, instance_id="other", name="paid"))
    house.advance(SETTLED)
    assert [type(fact) for fact in house.inbox("other")] == [EventReceived]
    assert house.reminder_names() == []


def test_a_child_is_started_once_and_its_end_is_heard_once(house: House, fault: Fault) -> None:
    house.tell(start())
    house.turn(StartChild(seq=0, instance_id="kid", name="ship"))
    for position in range(4):
        house.fail({"commit": [None] * position + [fault]})
        house.advance(SETTLED)
    house.fail({"commit": [fault]})
    house.turn(COMPLETE, instance_id="kid")
    house.advance(SETTLED)
    if not house.record("kid").status.is_terminal:
        house.turn(COMPLETE, instance_id="kid")
    house.advance(SETTLED)
    house.turn(COMPLETE)
    assert house.kinds().count("ChildCompleted") == 1
    assert house.record("kid").generation == 1


def test_whoever_waits_for_the_end_hears_of_a_doubtful_one(house: House) -> None:
    house.tell(start())
    heard: list[View | None] = []
    watch: Watch = heard.append
    house.host.watchers.add(ID, watch, for_end=True)
    house.fail({"commit": [LoseAnswer()]})
    house.turn(COMPLETE)
    house.advance(SETTLED)
    [view] = heard
    assert view is not None
    assert view.record.status is Status.COMPLETED


def test_whoever_waits_for_the_end_hears_of_a_doubtful_purge(house: House) -> None:
    house.tell(start())
    heard: list[View | None] = []
    house.host.watchers.add(ID, heard.append, for_end=True)
    house.fail({"commit": [LoseAnswer()]})
    house.tell(Purge(instance_id=ID, is_forced=True))
    house.advance(SETTLED)
    assert heard == [None]


def test_a_write_that_lands_late_meets_a_higher_version(house: House) -> None:
    house.tell(start())
    before = house.record().version
    house.fail({"commit": [FailBefore()]})
    house.turn(activity(0))
    house.advance(SETTLED)
    assert house.record().version == before + 1
    assert house.kinds() == []


def test_whoever_waits_is_told_when_the_store_stays_away_and_the_work_goes_on_later(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.fail({"commit": [FailBefore()] * 40})
    asked = house.tell(SUSPEND)
    house.advance(60.0)
    assert isinstance(asked.error, Unavailable)
    house.advance(600.0)
    house.answer(0)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_store_that_is_down_is_not_asked_in_a_hot_loop(house: House) -> None:
    house.tell(start())
    house.fail({"commit": [FailBefore()] * 1000, "load": [FailBefore()] * 1000})
    house.turn(activity(0))
    house.advance(60.0)
    assert len(house.store.happened) < 30


def test_a_full_store_is_told_at_once(house: House) -> None:
    house.fail({"commit": [FailBefore(is_full=True)]})
    asked = house.tell(start())
    assert isinstance(asked.error, StorageFull)
    assert asked.error.kind is Kind.EXHAUSTED


def test_a_sender_that_comes_again_when_refused_does_not_bring_back_what_is_outdated(house: House) -> None:
    """It comes before the next try is set. Of two loads under way the later one would be outdated when it comes."""
    house.tell(start())
    house.turn(activity(0))
    refused: list[object] = []

    def comes_again(error: object) -> None:
        if error is not None:
            refused.append(error)
            house.host.post(event(), comes_again)

    house.fail({"commit": [FailBefore(), Slow(1.0)], "load": [*[FailBefore()] * (FAILURES_MAX - 1), Slow(20.0)]})
    house.host.post(event(), comes_again)
    house.advance(120.0)
    assert refused
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_load_that_fails_is_tried_again(house: House) -> None:
    house.fail({"load": [FailBefore()] * (FAILURES_MAX - 1)})
    asked = house.tell(start())
    house.advance(60.0)
    assert asked.is_ok


def test_a_fenced_commit_writes_nothing_and_gives_up_the_partition(house: House) -> None:
    house.tell(start())
    before = house.stored()
    lost: list[int] = []
    house.host.on_lost = lost.append
    house.fail({"commit": [FencedBy()]})
    asked = house.tell(event())
    house.turn(activity(0))
    assert isinstance(asked.error, NotOwner)
    assert house.stored() == before
    assert lost == [house.host.partition_of(ID)]
    assert not house.host.owns(ID)
    assert house.worker.activities == []
    assert isinstance(house.tell(event()).error, NotOwner)


@pytest.mark.parametrize("fault", [FencedBy(), LoseAnswer(), FailBefore()])
def test_what_a_worker_knows_beyond_the_store_is_forgotten_when_the_partition_goes(house: House, fault: Fault) -> None:
    """Else it would go on from there when the instance comes back, though others have written another story."""
    house.tell(start())
    house.fail({"commit": [fault]})
    house.turn(activity(0))
    house.host.release([house.host.partition_of(ID)])
    assert house.worker.forgotten == [ID]


def test_what_a_worker_knows_is_forgotten_when_the_partition_goes_while_its_turn_is_written(house: House) -> None:
    house.tell(start())
    house.turn_soon(activity(0))
    house.host.release([house.host.partition_of(ID)])
    house.loop.settle()
    assert house.worker.forgotten == [ID]


def test_a_takeover_that_fails_half_way_leaves_nothing_served(house: House) -> None:
    """The fence is up, the reminders could not be read: whoever asked tries again, here or elsewhere."""
    partition = house.host.partition_of(ID)
    house.host.release([partition])
    house.fail({"due": [FailBefore()]})
    with pytest.raises(StoreError):
        house.loop.run_until_complete(house.host.acquire([partition], house.epoch + 1))
    assert partition not in house.host.owned


def test_a_late_fence_of_an_earlier_ownership_leaves_the_present_one_alone(house: House) -> None:
    house.tell(start())
    house.fail({"commit": [None, FencedBy()]})
    partition = house.host.partition_of(ID)
    house.host.release([partition])
    assert isinstance(house.tell(event()).error, NotOwner)
    house.loop.run_until_complete(house.host.acquire([partition], house.epoch + 1))
    house.loop.settle()
    house.turn()
    assert house.status() is Status.RUNNING
    assert house.host.owns(ID)


def test_taking_a_partition_again_under_a_higher_epoch_replaces_its_actors(house: House) -> None:
    house.tell(start())
    asked = house.tell(event())
    partition = house.host.partition_of(ID)
    house.loop.run_until_complete(house.host.acquire([partition], house.epoch + 1))
    house.loop.settle()
    assert isinstance(asked.error, NotOwner)
    house.turn()
    assert house.status() is Status.RUNNING


@pytest.mark.parametrize("how", ["reload", "conflict"])
def test_a_conflict_is_looked_up_and_the_message_taken_again(house: House, how: str) -> None:
    house.tell(start())
    house.turn()
    plan: Mapping[str, Sequence[Fault | None]] = {"commit": [LoseAnswer(), FailBefore()]}
    house.fail(plan if how == "reload" else {"commit": [LoseAnswer()]})
    asks = [house.tell(event(source=str(number))) for number in range(3)]
    house.advance(SETTLED)
    assert all(ask.is_ok for ask in asks)
    house.turn(COMPLETE)
    assert house.kinds().count("EventReceived") == 3


def test_whoever_asks_again_at_once_when_the_partition_is_lost_is_answered(house: House) -> None:
    """As the results of a step do: asked of the mailbox that is being given up, they were never heard of again."""
    house.tell(start())
    house.turn()
    house.tell(SUSPEND)
    again = Ask()

    def ask_meanwhile(verb: str, _: int) -> Fault | None:
        if verb != "commit":
            return None
        house.host.post(event(source="s2"), lambda _: house.host.post(event(source="s2"), again))
        return FencedBy()

    house.store.plan = ask_meanwhile
    house.tell(event(source="s1"))
    assert isinstance(again.error, NotOwner)
