"""Work that one worker gives back goes round: to each of the others before the same one gets it again."""

from __future__ import annotations

from holdfast_sidecar.actors.pool import ABANDON_DELAY
from tests.unit.sidecar.actors.house import HandWorker, House
from tests.unit.sidecar.core.stage import activity, start

OTHERS = ("w2", "w3")


def test_a_turn_that_is_given_back_goes_to_every_worker_in_its_time(house: House) -> None:
    house.tell(start())
    for worker_id in OTHERS:
        house.connect(HandWorker(worker_id))
    seen: list[str] = []
    for _ in range(6):
        task = house.held()
        assert task.worker is not None
        seen.append(task.worker.id)
        house.host.pool.give_back_turn(task.token)
        house.advance(ABANDON_DELAY)
    everybody = sorted(worker.id for worker in house.workers)
    assert sorted(seen[:3]) == sorted(seen[3:]) == everybody


def test_an_activity_that_is_given_back_goes_to_every_worker_in_its_time(house: House) -> None:
    house.tell(start())
    house.turn(activity(0))
    for worker_id in OTHERS:
        house.connect(HandWorker(worker_id))
    seen: list[str] = []
    for _ in range(6):
        task = house.running(0)
        assert task.worker is not None
        seen.append(task.worker.id)
        house.host.pool.give_back_activity(task.token)
        house.advance(ABANDON_DELAY)
    everybody = sorted(worker.id for worker in house.workers)
    assert sorted(seen[:3]) == sorted(seen[3:]) == everybody


def test_a_worker_that_gave_work_back_gets_it_again_when_there_is_no_other(house: House) -> None:
    house.tell(start())
    for _ in range(3):
        house.host.pool.give_back_turn(house.held().token)
        house.advance(ABANDON_DELAY)
    assert house.worker.turns_seen == 4
