"""Turns that end their workers are found, stand still with a reason, and leave the others in peace."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Status
from holdfast_sidecar.actors.pool import LOST_MAX, SUSPECT_AFTER
from holdfast_sidecar.actors.turning import STALL_CAP, STALLS_FREE
from tests.unit.sidecar.actors.house import HandWorker, House
from tests.unit.sidecar.core.stage import ID, TERMINATE, start

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)
OTHERS = [f"other-{number}" for number in range(5)]


def lose(house: House, *, times: int = 1) -> None:
    for _ in range(times):
        house.disconnect()
        house.connect()


def given_up(house: House) -> None:
    """The instance has stalled and no worker is there."""
    house.tell(start())
    lose(house, times=LOST_MAX - 1)
    house.disconnect()
    assert house.status() is Status.STALLED


def held(worker: HandWorker) -> list[str]:
    return [task.instance_id for task in worker.turns if task.token]


def test_a_turn_that_ends_every_worker_stalls_its_instance_with_a_reason(house: House) -> None:
    given_up(house)
    stall = house.record().stall
    assert stall is not None
    assert stall.reason == "WORKER_LOST"
    assert f"went away with this turn of 'order' {LOST_MAX} times" in stall.description
    assert not house.has_turn
    assert [type(fact).__name__ for fact in house.inbox()] == ["WorkflowStarted"]


def test_a_restart_of_workers_makes_nobody_suspect(house: House) -> None:
    for instance_id in OTHERS:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER - 1)
    assert held(house.worker) == OTHERS


def test_an_instance_that_was_given_up_goes_on_with_a_new_worker(house: House) -> None:
    given_up(house)
    house.connect()
    house.turn(COMPLETE)
    assert house.status() is Status.COMPLETED


def test_an_instance_on_probation_needs_one_lost_worker_to_be_given_up_again(house: House) -> None:
    given_up(house)
    house.connect()
    house.disconnect()
    record = house.record()
    assert (record.status, record.attempts) == (Status.STALLED, 2)


def test_an_instance_that_ends_every_worker_is_not_tried_with_each_of_them_for_ever(house: House) -> None:
    given_up(house)
    for _ in range(STALLS_FREE - 1):
        house.connect()
        house.disconnect()
    house.advance(STALL_CAP)
    house.connect()
    house.disconnect()
    house.connect()
    house.disconnect()
    house.connect()
    assert house.record().attempts == STALLS_FREE + 1
    assert not house.has_turn
    house.advance(STALL_CAP)
    house.turn(COMPLETE)


def test_a_pause_that_nobody_waits_for_any_more_does_no_harm(house: House) -> None:
    given_up(house)
    for _ in range(STALLS_FREE + 1):
        house.connect()
        house.disconnect()
    house.connect()
    assert house.tell(TERMINATE).is_ok
    house.advance(2 * STALL_CAP)
    assert not house.has_turn


def test_suspects_are_tried_one_at_a_time(house: House) -> None:
    for instance_id in OTHERS:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER)
    assert held(house.worker) == OTHERS[:1]
    assert house.host.pool.queued_turns == len(OTHERS) - 1


def test_every_worker_may_try_a_suspect(house: House) -> None:
    for instance_id in OTHERS:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER)
    first = house.worker
    second = house.connect()
    assert [len(held(worker)) for worker in (first, second)] == [1, 1]


def test_the_innocent_come_through_and_the_guilty_stalls(house: House) -> None:
    """A worker that ends at the guilty turn, and answers all others that it is given before."""
    for instance_id in (*OTHERS[:2], ID, *OTHERS[2:]):
        house.tell(start(instance_id))
    for _ in range(100):
        mine = held(house.worker)
        if ID in mine:
            lose(house)
        elif mine:
            house.turn(COMPLETE, instance_id=mine[0])
            house.host.pool.refill(house.worker)
            house.loop.settle()
        else:
            break
    house.disconnect()
    assert {house.status(instance_id) for instance_id in OTHERS} == {Status.COMPLETED}
    stall = house.record().stall
    assert stall is not None
    assert stall.reason == "WORKER_LOST"


def test_only_the_suspect_is_blamed_for_a_worker_that_had_one(house: House) -> None:
    house.tell(start())
    lose(house, times=SUSPECT_AFTER)
    for instance_id in OTHERS:
        house.tell(start(instance_id))
    assert len(held(house.worker)) == 1 + len(OTHERS)
    lose(house, times=LOST_MAX - SUSPECT_AFTER - 1)
    assert {task.instance_id: task.lost for task in house.worker.turns} == {
        ID: LOST_MAX - 1,
        **dict.fromkeys(OTHERS, 0),
    }


def test_a_suspect_that_is_given_back_makes_room_for_the_next(house: House) -> None:
    for instance_id in OTHERS[:2]:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER)
    [task] = [task for task in house.worker.turns if task.token]
    house.host.pool.give_back_turn(task.token)
    house.host.pool.refill(house.worker)
    assert held(house.worker) == OTHERS[1:2]


def test_a_suspect_that_is_void_makes_room_for_the_next(house: House) -> None:
    for instance_id in OTHERS[:3]:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER)
    house.host.pool.withdraw_turn(house.held(OTHERS[0]))
    assert held(house.worker) == OTHERS[1:2]


def test_a_suspect_that_waits_can_be_made_void(house: House) -> None:
    for instance_id in OTHERS[:2]:
        house.tell(start(instance_id))
    lose(house, times=SUSPECT_AFTER)
    assert house.tell(replace(TERMINATE, instance_id=OTHERS[1])).is_ok
    assert house.host.pool.queued_turns == 0
