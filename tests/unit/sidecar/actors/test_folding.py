"""What a message costs: it is folded into its turn's commit when that comes soon, and saved on its own when not."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Status
from holdfast_sidecar.actors.gathering import COMPANY_SHARE, GATHER_MAX, URGENT_COMPANY
from holdfast_sidecar.actors.ports import SAVE_AFTER
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import RESUME, SUSPEND, activity, event, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
SLOW = SAVE_AFTER * 2


def test_five_activities_in_a_row_cost_seven_commits(house: House) -> None:
    house.tell(start())
    for seq in range(5):
        house.turn(activity(seq))
        house.answer(seq)
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED
    assert house.commits == 7


def test_five_slow_activities_and_a_slow_worker_cost_at_most_twelve(house: House) -> None:
    house.tell(start())
    for seq in range(5):
        house.advance(SLOW)
        house.turn(activity(seq))
        house.advance(SLOW)
        house.answer(seq)
    house.advance(SLOW)
    house.turn(COMPLETE)
    assert house.commits == 12


def test_a_fan_out_that_is_answered_at_once_costs_two_turns(house: House) -> None:
    house.tell(start())
    house.turn(*(activity(seq) for seq in range(10)))
    commits = house.commits
    for seq in range(10):
        house.answer_soon(seq)
    house.loop.settle()
    house.turn()
    assert len(house.told()) == 10
    house.turn(COMPLETE)
    assert house.commits == commits + 2


def test_a_message_is_answered_with_the_commit_of_its_turn(house: House) -> None:
    house.tell(start())
    house.turn()
    asked = house.tell(event())
    assert not asked.is_answered
    commits = house.commits
    house.turn()
    assert asked.is_ok
    assert house.commits == commits + 1


def test_a_message_whose_turn_takes_long_is_saved_on_its_own(house: House) -> None:
    house.tell(start())
    house.turn()
    asked = house.tell(event())
    house.advance(SAVE_AFTER)
    assert asked.is_ok
    assert [type(fact).__name__ for fact in house.inbox()] == ["EventReceived"]


def test_a_message_does_not_wait_for_a_turn_of_a_worker_without_patience(house: House) -> None:
    house.worker.patience = 0.0
    house.tell(start())
    house.turn()
    asked = house.tell(event())
    house.advance(0)
    assert house.has_turn
    assert asked.is_ok


def test_what_a_worker_without_patience_waits_for_waits_for_little_company(house: House) -> None:
    house.worker.patience = 0.0
    for number in range(9 * COMPANY_SHARE):
        house.tell_soon(start(f"i-{number}", f"run-{number}"))
    house.advance(GATHER_MAX)
    asks = [house.tell(replace(event(), instance_id=f"i-{number}")) for number in range(URGENT_COMPANY)]
    house.advance(0)
    assert all(asked.is_ok for asked in asks)


def test_nobody_waits_longer_than_the_bound_while_messages_keep_coming(house: House) -> None:
    house.tell(start())
    house.turn()
    for _ in range(20):
        asked = house.tell(event())
        house.advance(SAVE_AFTER / 2)
        house.tell(event())
        house.advance(SAVE_AFTER / 2)
        assert asked.is_ok


def test_messages_that_come_together_are_saved_together(house: House) -> None:
    house.tell(start())
    house.turn()
    asks = [house.tell(event()) for _ in range(50)]
    commits = house.commits
    house.advance(SAVE_AFTER)
    assert all(ask.is_ok for ask in asks)
    assert house.commits == commits + 1


def test_a_message_for_a_suspended_instance_is_saved_at_once(house: House) -> None:
    house.tell(start())
    house.turn()
    house.tell(SUSPEND)
    asked = house.tell(event())
    assert asked.is_ok
    assert not house.has_turn
    house.tell(RESUME)
    assert [type(fact).__name__ for fact in house.told()] == ["TurnStarted", "Suspended", "EventReceived", "Resumed"]


def test_a_message_without_any_worker_is_durable_after_the_bound(house: House) -> None:
    house.disconnect()
    assert house.tell(start()).is_ok
    asked = house.tell(event())
    house.advance(SAVE_AFTER)
    assert asked.is_ok


def test_an_instance_has_one_turn_at_a_time(house: House) -> None:
    house.tell(start())
    for _ in range(3):
        house.tell(event())
    assert len([task for task in house.worker.turns if task.token]) == 1
    house.turn()
    assert len(house.told()) == 4


def test_a_sequence_whose_every_turn_takes_long_costs_twelve_commits(house: House) -> None:
    """The most that it may be: the start, the first turn, and for each activity a result and the turn after it."""
    house.tell(start())
    house.advance(SLOW)
    house.turn(activity(0))
    for seq in range(5):
        house.answer(seq)
        for _ in range(50):  # the turn waits for a worker, or is at one, a hundred times the bound
            house.advance(SLOW)
        house.turn(activity(seq + 1) if seq < 4 else CompleteWorkflow(seq=5, status=Status.COMPLETED))
    assert house.status() is Status.COMPLETED
    assert house.commits == 12


def test_a_turn_that_finds_no_worker_costs_one_commit_for_the_message_that_waits(house: House) -> None:
    house.tell(start())
    house.turn()
    house.worker.slots = 0
    commits = house.commits
    asked = house.tell(event())
    for _ in range(100):
        house.advance(SLOW)
    assert asked.is_ok
    assert house.commits == commits + 1
