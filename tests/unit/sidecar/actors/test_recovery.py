"""A host dies and another one takes over its store: everything in flight goes on, nothing happens twice."""

from __future__ import annotations

from holdfast_proto.actions import CompleteWorkflow, SendEvent, Stall, StartChild
from holdfast_proto.history import EventReceived, StallReason, Status
from holdfast_sidecar.actors.gathering import GATHER_MAX
from holdfast_sidecar.actors.ports import SAVE_AFTER
from holdfast_sidecar.core.errors import NotOwner, Unavailable
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.faults import FailBefore, Slow
from tests.unit.sidecar.actors.house import Ask, House
from tests.unit.sidecar.core.stage import ID, RESUME, SECOND, SUSPEND, activity, event, start, timer

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)


def restart(house: House, *, after: float = 0.0) -> None:
    house.crash()
    house.advance(after)
    house.boot()


def test_a_pending_instance_runs_after_a_crash(house: House) -> None:
    house.disconnect()
    house.tell(start())
    restart(house)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_turn_that_was_at_a_worker_runs_again(house: House) -> None:
    house.tell(start())
    old = house.worker
    restart(house)
    house.turn(activity(0))
    assert (old.turns_seen, house.worker.turns_seen) == (1, 1)


def test_activities_that_were_open_run_again(house: House) -> None:
    house.tell(start())
    house.turn(activity(0), activity(1))
    house.answer(0)
    house.advance(SAVE_AFTER)
    restart(house)
    assert [task.event.seq for task in house.worker.activities] == [1]


def test_an_acknowledged_event_survives(house: House) -> None:
    house.tell(start())
    house.turn()
    asked = house.tell(event("paid"))
    house.advance(SAVE_AFTER)
    assert asked.is_ok
    restart(house)
    assert [fact.name for fact in house.told() if isinstance(fact, EventReceived)] == ["paid"]


def test_an_event_that_was_not_acknowledged_may_be_lost_and_can_be_sent_again(house: House) -> None:
    house.tell(start())
    house.turn()
    asked = house.tell(event("paid", source="s1"))
    assert not asked.is_answered
    restart(house)
    assert not house.has_turn
    assert house.tell(event("paid", source="s1")).answers == []
    house.turn()
    assert house.kinds().count("EventReceived") == 1


def test_a_timer_that_came_due_while_nobody_was_there_fires(house: House) -> None:
    house.tell(start())
    house.turn(timer(0, house.clock.now_ns() + 5 * SECOND))
    restart(house, after=100.0)
    house.turn(COMPLETE)
    assert house.kinds().count("TimerFired") == 1


def test_a_timer_in_the_future_fires_at_its_time(house: House) -> None:
    house.tell(start())
    due_at = house.clock.now_ns() + 3600 * SECOND
    house.turn(timer(0, due_at))
    restart(house, after=10.0)
    assert not house.has_turn
    house.advance(3580.0)
    assert not house.has_turn
    house.advance(20.0)
    assert house.clock.now_ns() >= due_at
    assert house.has_turn


def test_a_child_whose_start_was_on_its_way_is_started(house: House) -> None:
    house.tell(start())
    house.turn_soon(StartChild(seq=0, instance_id="kid", name="ship"))
    house.loop.until(lambda: "ChildScheduled" in house.kinds(), limit=1)
    house.crash()
    house.boot()
    house.advance(1.0)
    assert house.status("kid") is Status.PENDING


def test_a_message_in_the_outbox_is_sent_after_a_crash_and_once(house: House) -> None:
    house.tell(start("other", "other-run"))
    house.turn(instance_id="other")
    house.tell(start())
    house.turn(SendEvent(seq=0, instance_id="other", name="paid"))
    house.crash()
    house.boot()
    house.advance(5.0)
    house.turn(instance_id="other")
    assert house.kinds("other").count("EventReceived") == 1
    house.advance(5.0)
    assert house.reminder_names() == []


def test_an_activity_of_the_last_turn_runs_after_a_crash(house: House) -> None:
    house.tell(start())
    house.turn(activity(0), COMPLETE)
    restart(house)
    assert house.answer(0).is_ok
    house.advance(1.0)
    restart(house)
    assert house.worker.activities == []


def test_a_delayed_start_waits_through_a_crash(house: House) -> None:
    house.tell(start(scheduled_at=house.clock.now_ns() + 50 * SECOND))
    assert not house.has_turn
    restart(house, after=10.0)
    house.advance(39.0)
    assert not house.has_turn
    house.advance(1.1)
    house.turn(COMPLETE)


def test_a_suspended_instance_stays_so(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.tell(SUSPEND)
    restart(house)
    house.answer(0)
    house.advance(1.0)
    assert not house.has_turn
    house.tell(RESUME)
    house.turn(COMPLETE)


def test_a_stalled_instance_is_tried_again_after_a_restart(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    assert house.status() is Status.STALLED
    restart(house)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_stalled_instance_is_tried_again_when_the_worker_came_first(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    house.crash()
    house.boot(with_worker=False)
    house.connect()
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_stalled_instance_is_tried_again_when_its_partition_comes_to_workers(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    partition = house.host.partition_of(ID)
    house.host.release([partition])
    house.loop.run_until_complete(house.host.acquire([partition], house.epoch + 1))
    house.loop.settle()
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_a_host_that_was_replaced_writes_nothing_and_tells_its_callers(house: House) -> None:
    house.tell(start())
    house.turn()
    old_host, old_worker = house.host, house.worker
    asked = house.tell(event("from the old one"))
    house.boot()
    before = house.stored()
    [task] = [task for task in old_worker.turns if task.token]
    old_host.pool.take_turn(task.token)
    task.on_done(task, TurnResult(actions=[COMPLETE]))
    house.loop.settle()
    house.advance(1.0)
    assert isinstance(asked.error, NotOwner)
    assert house.stored() == before
    assert old_host.owned == frozenset(range(4)) - {old_host.partition_of(ID)}
    assert old_worker.activities == []


def test_retention_purges_after_a_restart(house: House) -> None:
    with House(limits=Limits(retention={Status.COMPLETED: 100 * SECOND})) as kept:
        kept.tell(start())
        kept.turn(COMPLETE)
        kept.crash()
        kept.boot()
        kept.advance(90.0)
        assert kept.stored() is not None
        kept.advance(11.0)
        assert kept.stored() is None
        assert kept.memory.due == {}


def test_a_thousand_instances_in_flight_are_recovered(house: House) -> None:
    for number in range(1000):
        house.tell_soon(start(f"i-{number}", f"run-{number}"))
    house.advance(GATHER_MAX)  # the last few wait for company
    house.crash()
    house.boot(with_worker=False)
    house.connect()
    house.worker.slots = 2000
    house.host.pool.refill(house.worker)
    house.loop.settle()
    assert len(house.worker.turns) == 1000


def test_idle_instances_are_not_loaded_by_a_restart(house: House) -> None:
    for number in range(50):
        house.tell_soon(start(f"i-{number}", f"run-{number}"))
    house.loop.settle()
    for number in range(50):
        house.turn(timer(0, house.clock.now_ns() + 9_999 * SECOND), instance_id=f"i-{number}")
    restart(house)
    assert house.host.counters.loads == 0
    assert house.host.actors == 0


def test_a_host_that_was_replaced_does_not_answer_from_an_old_memory(house: House) -> None:
    house.tell(start())
    house.turn()
    old = house.host
    house.boot()
    assert house.tell(SUSPEND).is_ok
    resumed, started_again = Ask(), Ask()
    old.post(RESUME, resumed)
    house.loop.settle()
    assert isinstance(resumed.error, NotOwner)
    assert house.status() is Status.SUSPENDED
    old.post(start(ID, "run-2"), started_again)
    house.loop.settle()
    assert isinstance(started_again.error, NotOwner)


def test_an_answer_that_needs_no_commit_waits_for_the_store(house: House) -> None:
    house.tell(start())
    house.fail({"view": [FailBefore()]})
    assert isinstance(house.tell(RESUME).error, Unavailable)
    house.fail({"view": [Slow(before=1.0)]})
    asked = house.tell(RESUME)
    assert not asked.is_answered
    house.advance(1.1)
    assert asked.is_ok
