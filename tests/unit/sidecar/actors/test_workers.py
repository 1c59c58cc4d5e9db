"""Workers come, go away in the middle of things, answer late, and give work back."""

from __future__ import annotations

from holdfast_proto.actions import CancelActivity, CompleteWorkflow, Stall
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityOptions, StallReason, Status
from holdfast_sidecar.actors.pool import ABANDON_DELAY
from holdfast_sidecar.actors.ports import CancelReason, no_reply
from holdfast_sidecar.core.turn import TurnResult
from tests.unit.sidecar.actors.house import HandWorker, House
from tests.unit.sidecar.core.stage import ID, RESUME, SECOND, SUSPEND, TERMINATE, activity, event, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)


def test_a_turn_waits_for_a_worker(house: House) -> None:
    house.disconnect()
    house.tell(start())
    assert house.host.pool.queued_turns == 1
    house.connect()
    house.turn(COMPLETE)


def test_a_turn_of_a_worker_that_left_goes_to_another(house: House) -> None:
    house.tell(start())
    late = house.held()
    token = late.token
    house.disconnect()
    assert house.host.pool.take_turn(token) is None
    house.connect()
    house.turn(activity(0))
    assert house.kinds().count("ActivityScheduled") == 1


def test_a_turn_that_is_sent_again_has_what_arrived_meanwhile(house: House) -> None:
    house.tell(start())
    house.tell(event())
    house.disconnect()
    house.connect()
    assert [type(fact).__name__ for fact in house.told()] == ["TurnStarted", "WorkflowStarted", "EventReceived"]
    house.turn()
    assert house.kinds().count("EventReceived") == 1


def test_an_activity_of_a_worker_that_left_goes_to_another(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    token = house.running(0).token
    house.disconnect()
    assert house.host.pool.take_activity(token) is None
    house.connect()
    house.answer(0)
    house.turn(COMPLETE)


def test_a_late_answer_of_a_turn_that_was_given_away_changes_nothing(house: House) -> None:
    house.tell(start())
    late = house.held()
    house.tell(TERMINATE)
    late.on_done(late, TurnResult(actions=[activity(0)]))
    house.loop.settle()
    assert house.status() is Status.TERMINATED
    assert house.worker.activities == []


def test_work_goes_only_to_workers_that_know_it_and_have_room(house: House) -> None:
    house.disconnect()
    small = house.connect(HandWorker("small", slots=0))
    other = house.connect(HandWorker("other", names=frozenset({"else"})))
    house.tell(start())
    assert (small.turns, other.turns) == ([], [])
    right = house.connect(HandWorker("right", names=frozenset({"order", "charge"})))
    house.turn(activity(0), activity(1, "else"))
    assert [task.event.name for task in right.activities] == ["charge"]
    assert [task.event.name for task in other.activities] == ["else"]


def test_the_worker_that_ran_the_last_turn_is_asked_again(house: House) -> None:
    first = house.worker
    house.tell(start())
    second = house.connect(HandWorker("roomy", slots=1000))
    house.worker = first
    house.turn(activity(0))
    house.worker = second
    house.answer(0)
    assert first.turns_seen == 2


def test_a_worker_whose_copy_is_stale_is_told(house: House) -> None:
    house.tell(start())
    house.turn()
    house.tell(event())
    house.tell(TERMINATE)
    assert house.worker.forgotten == [ID]


def test_a_turn_that_is_given_back_is_offered_again_after_a_while(house: House) -> None:
    house.tell(start())
    house.host.pool.give_back_turn(house.held().token)
    house.loop.settle()
    assert not house.has_turn
    house.advance(ABANDON_DELAY)
    house.turn(COMPLETE)


def test_a_turn_that_was_given_back_and_is_void_is_not_offered_again(house: House) -> None:
    house.tell(start())
    house.host.pool.give_back_turn(house.held().token)
    house.tell(TERMINATE)
    house.advance(ABANDON_DELAY * 2)
    assert not house.has_turn
    assert house.worker.turns_seen == 1


def test_an_activity_that_is_given_back_is_offered_again_after_a_while(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.host.pool.give_back_activity(house.running(0).token)
    house.advance(ABANDON_DELAY)
    house.answer(0)


def test_an_activity_that_was_given_back_and_is_void_is_not_offered_again(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.host.pool.give_back_activity(house.running(0).token)
    house.tell(TERMINATE)
    house.advance(ABANDON_DELAY * 2)
    assert house.worker.activities_seen == 1
    assert house.host.pool.queued_activities == 0


def test_activities_of_a_terminated_instance_are_stopped(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.tell(TERMINATE)
    assert house.worker.cancelled == [(0, CancelReason.INSTANCE_ENDED)]
    assert len(house.host.activities) == 0


def test_activities_of_a_generation_that_ended_are_stopped(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.tell(event())
    house.turn(CompleteWorkflow(seq=9, status=Status.CONTINUED_AS_NEW))
    assert house.worker.cancelled == [(0, CancelReason.INSTANCE_ENDED)]


def test_an_activity_of_the_last_turn_is_not_stopped(house: House) -> None:
    house.tell(start())
    house.turn(activity(0), COMPLETE)
    assert house.worker.cancelled == []
    assert house.answer(0).is_ok
    house.advance(1.0)
    assert house.reminder_names() == []


def test_a_running_activity_is_asked_to_stop_and_its_answer_still_counts(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.tell(event())
    house.turn(CancelActivity(seq=0))
    assert house.worker.cancelled == [(0, CancelReason.REQUESTED)]
    house.answer(0)
    house.turn(COMPLETE)
    assert "ActivityCompleted" in house.kinds()


def test_a_queued_activity_that_is_cancelled_never_runs_and_fails(house: House) -> None:
    house.tell(start())
    house.worker.slots = 1
    house.turn(activity(0), activity(1))
    house.tell(event())
    house.turn(CancelActivity(seq=1))
    house.turn(COMPLETE)
    assert house.worker.activities_seen == 1
    [failed] = [fact for fact in house.history() if isinstance(fact, ActivityFailed)]
    assert failed.failure.kind == "ActivityCanceled"


def bounded(*, schedule_to_start: int = 0, start_to_close: int = 0, heartbeat: int = 0) -> ActivityOptions:
    return ActivityOptions(
        schedule_to_start=schedule_to_start * SECOND,
        start_to_close=start_to_close * SECOND,
        heartbeat=heartbeat * SECOND,
    )


def failure_after(house: House, seconds: float) -> str:
    house.advance(seconds - 0.01)
    assert not house.has_turn
    house.advance(0.02)
    [failed] = [fact for fact in house.told() if isinstance(fact, ActivityFailed)]
    assert failed.failure.kind == "ActivityTimeout"
    return failed.failure.message


def test_an_activity_that_takes_too_long_fails_and_its_late_answer_is_void(house: House) -> None:
    house.tell(start())
    house.turn(activity(0, options=bounded(start_to_close=5)))
    task = house.running(0)
    assert "start-to-close" in failure_after(house, 5.0)
    assert house.worker.cancelled == [(0, CancelReason.TIMED_OUT)]
    task.on_done(task, encode_event(ActivityCompleted(at=0, seq=0)), no_reply)
    house.turn(COMPLETE)
    assert "ActivityCompleted" not in house.kinds()


def test_an_activity_that_waits_too_long_for_a_worker_fails(house: House) -> None:
    house.tell(start())
    house.worker.slots = 1
    house.turn(activity(1), activity(0, options=bounded(schedule_to_start=5, start_to_close=1)))
    assert "schedule-to-start" in failure_after(house, 5.0)
    assert house.host.pool.queued_activities == 0


def test_an_activity_without_heartbeats_fails_and_with_them_goes_on(house: House) -> None:
    house.tell(start())
    house.turn(activity(0, options=bounded(heartbeat=5, start_to_close=60)))
    for _ in range(4):
        house.advance(4.0)
        house.host.activities.heartbeat(house.running(0), "half way")
    assert len(house.running(0).timers) == 2
    assert "heartbeat" in failure_after(house, 5.0)
    assert house.worker.cancelled == [(0, CancelReason.HEARTBEAT_TIMED_OUT)]


def test_heartbeats_do_not_prolong_the_bound_of_the_whole(house: House) -> None:
    house.tell(start())
    house.turn(activity(0, options=bounded(start_to_close=5)))
    for _ in range(4):
        house.advance(1.0)
        house.host.activities.heartbeat(house.running(0), "")
    assert len(house.running(0).timers) == 1
    assert "start-to-close" in failure_after(house, 1.0)


def test_a_heartbeat_after_the_end_changes_nothing(house: House) -> None:
    house.tell(start())
    house.turn(activity(0, options=bounded(heartbeat=5)))
    task = house.running(0)
    house.answer(0)
    house.host.activities.heartbeat(task, "late")
    assert task.timers == {}


def test_bounds_start_anew_with_each_worker_that_takes_the_activity(house: House) -> None:
    house.tell(start())
    house.turn(activity(0, options=bounded(start_to_close=5)))
    house.advance(4.0)
    house.disconnect()
    house.connect()
    assert "start-to-close" in failure_after(house, 5.0)


def test_an_order_for_an_activity_that_runs_here_changes_nothing(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.wake()
    assert house.worker.activities_seen == 1


def test_an_order_that_comes_while_the_answer_is_on_its_way_changes_nothing(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.answer(0)
    house.wake()
    assert house.worker.activities_seen == 1
    house.turn(COMPLETE)
    assert len(house.host.activities) == 0


def test_a_stalled_instance_waits_for_the_next_worker(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE, description="no v9"))
    assert house.status() is Status.STALLED
    house.advance(3600.0)
    assert house.worker.turns_seen == 1
    asked = house.tell(event())
    assert asked.is_ok
    house.connect()
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED
    assert "EventReceived" in house.kinds()


def test_an_instance_that_stalls_while_another_worker_comes_is_tried_once_more(house: House) -> None:
    house.tell(start())
    old = house.worker
    house.connect()
    house.worker = old
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    seen = sum(worker.turns_seen for worker in house.host.pool.workers if isinstance(worker, HandWorker))
    assert seen == 2


def test_an_instance_that_stalls_again_and_again_is_not_tried_in_a_loop(house: House) -> None:
    house.tell(start())
    for _ in range(3):
        house.turn(Stall(reason=StallReason.NONDETERMINISM))
        assert not house.has_turn
        house.connect()
    assert house.record().attempts == 3


def test_a_stalled_instance_whose_worker_came_while_it_was_suspended_is_tried_when_it_is_resumed(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
    house.tell(SUSPEND)
    house.connect()
    house.advance(60.0)
    assert not house.has_turn
    house.tell(RESUME)
    house.turn(COMPLETE)


def test_a_stalled_instance_can_be_terminated_and_is_forgotten(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.NONDETERMINISM))
    assert house.tell(TERMINATE).is_ok
    assert not house.host.stalled


def test_a_stalled_instance_of_a_partition_that_goes_is_forgotten(house: House) -> None:
    house.tell(start())
    house.turn(Stall(reason=StallReason.NONDETERMINISM))
    house.host.release([house.host.partition_of(ID)])
    assert not house.host.stalled


def test_a_paused_host_starts_no_turn_until_it_goes_on(house: House) -> None:
    house.host.pause(is_paused=True)
    assert house.tell(start()).is_ok
    assert not house.has_turn
    house.host.pause(is_paused=False)
    house.loop.settle()
    house.turn(COMPLETE)


def test_a_host_that_drains_lets_turns_end_and_starts_no_others(house: House) -> None:
    house.tell(start())
    draining = house.loop.create_task(house.host.drain(5.0))
    house.advance(1.0)
    house.tell(event())
    house.turn_soon(activity(0))
    house.advance(0.1)
    assert draining.done()
    assert house.kinds()[-1] == "ActivityScheduled"
    assert house.worker.turns_seen == 1


def test_a_host_that_drains_writes_what_it_has_taken_before(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    house.host.pause(is_paused=True)
    answered = house.answer_soon(0)
    draining = house.loop.create_task(house.host.drain(5.0))
    house.advance(0.1)
    assert draining.done()
    assert answered.is_ok
    assert [type(fact) for fact in house.inbox()] == [ActivityCompleted]


def test_a_host_without_a_worker_drains_at_once(house: House) -> None:
    house.disconnect()
    house.tell(start())
    draining = house.loop.create_task(house.host.drain(5.0))
    house.advance(0.1)
    assert draining.done()
