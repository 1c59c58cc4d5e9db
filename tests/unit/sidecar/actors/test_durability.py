"""Nothing leaves, and nobody is told, before it is durable."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow, SendEvent, StartChild
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, EventReceived, HistoryEvent, Status
from holdfast_sidecar.actors.incoming import Fused
from holdfast_sidecar.actors.ports import SAVE_AFTER
from holdfast_sidecar.core.errors import InstanceExists
from holdfast_sidecar.core.messages import ActivityAnswer
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.faults import Slow
from tests.unit.sidecar.actors.house import Ask, House
from tests.unit.sidecar.core.stage import ID, RESUME, SUSPEND, TERMINATE, activity, event, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
WRITES_SLOWLY = {"commit": [Slow(before=1.0)]}
ANSWERS_SLOWLY = {"commit": [Slow(after=1.0)]}


def test_a_start_is_answered_when_it_is_durable(house: House) -> None:
    house.fail(WRITES_SLOWLY)
    asked = house.tell(start())
    house.advance(0.9)
    assert (asked.is_answered, house.stored()) == (False, None)
    house.advance(0.2)
    assert asked.is_ok


def test_no_turn_starts_before_the_start_is_durable(house: House) -> None:
    house.fail(WRITES_SLOWLY)
    house.tell(start())
    assert not house.has_turn
    house.advance(1.1)
    assert house.has_turn


def test_no_activity_runs_before_its_turn_is_durable(house: House) -> None:
    house.tell(start())
    house.fail(ANSWERS_SLOWLY)
    house.turn(activity(0))
    assert house.worker.activities == []
    house.advance(1.1)
    house.running(0)


def test_no_message_leaves_before_its_turn_is_durable(house: House) -> None:
    house.tell(start())
    house.fail(ANSWERS_SLOWLY)
    house.turn(StartChild(seq=0, instance_id="kid", name="ship"), SendEvent(seq=1, instance_id="kid", name="x"))
    assert house.stored("kid") is None
    house.advance(1.1)
    assert house.stored("kid") is not None


def test_a_second_start_is_decided_by_what_became_of_the_first(house: House) -> None:
    house.fail(WRITES_SLOWLY)
    house.tell(start())
    same, other = house.tell(start()), house.tell(start(ID, "run-2"))
    assert not same.is_answered
    assert not other.is_answered
    house.advance(1.1)
    assert same.is_ok
    assert isinstance(other.error, InstanceExists)


def test_the_second_of_two_equal_events_is_answered_no_sooner_than_the_first(house: House) -> None:
    house.tell(start())
    house.turn()
    first = house.tell(event(source="s1"))
    second = house.tell(event(source="s1"))
    assert (first.is_answered, second.is_answered) == (False, False)
    house.advance(SAVE_AFTER)
    assert first.is_ok
    assert second.is_ok
    assert len(house.inbox()) == 1


def test_the_second_of_two_equal_answers_is_answered_no_sooner_than_the_first(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    task = house.running(0)
    data = encode_event(ActivityCompleted(at=0, seq=0))
    message = ActivityAnswer(instance_id=ID, execution_id=task.execution_id, row=task.row, event=data)
    first, second = house.tell(message), house.tell(message)
    assert (first.is_answered, second.is_answered) == (False, False)
    house.turn()
    assert first.is_ok
    assert second.is_ok


def test_a_message_that_was_taken_is_kept_when_the_memory_proves_to_be_old(house: House) -> None:
    house.tell(start())
    house.turn()
    house.fail({"view": [Slow(after=0.5)], "commit": [Slow(before=0.4)]})
    resumed = house.tell(RESUME)
    house.tell(SUSPEND)
    house.advance(0.45)
    asked = house.tell(event("kept"))
    house.advance(1.0)
    assert resumed.is_ok
    assert asked.is_ok
    house.tell(TERMINATE)
    assert [fact.name for fact in house.history() if isinstance(fact, EventReceived)] == ["kept"]


def test_a_terminate_is_answered_when_it_is_durable_and_the_turn_is_void(house: House) -> None:
    house.tell(start())
    held = house.held()
    house.fail(ANSWERS_SLOWLY)
    asked = house.tell(TERMINATE)
    assert not asked.is_answered
    assert house.host.pool.take_turn(held.token) is held
    held.on_done(held, TurnResult(actions=[activity(0)]))
    house.advance(1.1)
    assert asked.is_ok
    assert house.status() is Status.TERMINATED
    assert house.worker.activities == []


def test_messages_are_taken_in_the_order_in_which_they_came(house: House) -> None:
    house.fail(WRITES_SLOWLY)
    house.tell_soon(start())
    asks = [house.tell_soon(event(str(number))) for number in range(5)]
    house.tell_soon(SUSPEND)
    house.advance(1.1)
    assert all(ask.is_ok for ask in asks)
    names = [getattr(fact, "name", type(fact).__name__) for fact in house.inbox()]
    assert names == ["order", "0", "1", "2", "3", "4", "Suspended"]


def fused(house: House, *seqs: int, actions: tuple[CompleteWorkflow, ...] = (), based_on: int = -1) -> Fused:
    """What a worker sends that ran the activities and the next turn at once."""
    answers: list[tuple[ActivityAnswer, HistoryEvent]] = []
    for seq in seqs:
        task = house.running(seq)
        assert house.host.pool.take_activity(task.token) is task
        done = ActivityCompleted(at=0, seq=seq)
        answer = ActivityAnswer(instance_id=ID, execution_id=task.execution_id, row=task.row, event=encode_event(done))
        answers.append((answer, done))
    length = house.record().history_length if based_on < 0 else based_on
    return Fused(tuple(answers), house.clock.now_ns(), length, TurnResult(actions=actions), house.worker)


def post(house: House, step: Fused) -> Ask:
    asked = Ask()
    house.host.post_fused(step, asked)
    house.loop.settle()
    return asked


def test_a_result_and_the_turn_it_led_to_are_one_commit(house: House) -> None:
    house.tell(start())
    house.turn(activity(0), activity(1))
    commits = house.commits
    assert post(house, fused(house, 0, 1, actions=(COMPLETE,))).is_ok
    assert house.status() is Status.COMPLETED
    assert house.commits == commits + 1


def test_a_fused_turn_on_another_history_counts_only_its_results(house: House) -> None:
    house.tell(start())
    house.turn(activity(0), activity(1))
    step = fused(house, 0, 1, actions=(COMPLETE,), based_on=2)
    asked = post(house, step)
    assert not asked.is_answered
    assert house.worker.forgotten == [ID]
    house.turn()
    assert asked.is_ok
    assert house.status() is Status.RUNNING
    assert house.kinds().count("ActivityCompleted") == 2 - len(house.inbox())


def test_the_results_of_a_fused_turn_that_came_too_late_are_answered_when_durable(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    step = fused(house, 0)
    house.tell(event())
    asked = post(house, step)
    assert not asked.is_answered
    house.advance(SAVE_AFTER)
    assert asked.is_ok
    assert "ActivityCompleted" in {type(fact).__name__ for fact in house.inbox()}


def test_a_fused_turn_that_names_one_result_twice_counts_it_once(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    step = fused(house, 0, actions=(COMPLETE,))
    post(house, replace(step, answers=step.answers * 2))
    house.turn(COMPLETE)
    assert house.kinds().count("ActivityCompleted") == 1


def test_a_fused_turn_of_a_terminated_instance_changes_nothing(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    step = fused(house, 0, actions=(COMPLETE,))
    house.tell(TERMINATE)
    assert post(house, step).is_ok
    assert house.status() is Status.TERMINATED
