"""An idle instance costs no memory."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from holdfast_proto.actions import CompleteWorkflow, SendEvent, Stall
from holdfast_proto.history import StallReason, Status
from holdfast_sidecar.actors.host import Bounds
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import SECOND, activity, event, start, timer

COMPLETE = CompleteWorkflow(seq=9, status=Status.COMPLETED)


def begin(house: House, number: int) -> str:
    instance_id = f"i-{number}"
    house.tell(start(instance_id, f"run-{number}"))
    return instance_id


def test_only_so_many_idle_instances_are_kept() -> None:
    with House(bounds=Bounds(idle_instances_max=3)) as house:
        for number in range(20):
            house.turn(timer(0, house.clock.now_ns() + 9_999 * SECOND), instance_id=begin(house, number))
        assert house.host.actors == 3


def test_an_instance_that_waits_for_an_activity_is_kept_longer_but_not_for_ever() -> None:
    with House(bounds=Bounds(idle_instances_max=1, awake_instances_max=5)) as house:
        for number in range(10):
            house.turn(activity(0), instance_id=begin(house, number))
        assert house.host.actors == 5
        house.answer(0, instance_id="i-0")
        house.turn(COMPLETE, instance_id="i-0")
        assert house.status("i-0") is Status.COMPLETED


def test_an_unloaded_instance_is_loaded_when_something_comes() -> None:
    with House(bounds=Bounds(idle_instances_max=0)) as house:
        instance_id = begin(house, 0)
        house.turn(timer(0, house.clock.now_ns() + 30 * SECOND), instance_id=instance_id)
        assert house.host.actors == 0
        house.advance(31.0)
        house.turn(COMPLETE, instance_id=instance_id)
        assert house.kinds(instance_id)[-3:] == ["TurnStarted", "TimerFired", "WorkflowCompleted"]
        assert house.host.actors == 0


def test_ended_instances_are_unloaded_with_all_that_the_host_knew_of_them() -> None:
    with House(bounds=Bounds(idle_instances_max=0, awake_instances_max=0)) as house:
        for number in range(10):
            instance_id = begin(house, number)
            house.turn(activity(0), SendEvent(seq=1, instance_id="nobody", name="x"), instance_id=instance_id)
            house.answer(0, instance_id=instance_id)
            house.turn(COMPLETE, instance_id=instance_id)
        house.advance(60.0)
        assert house.host.actors == 0
        assert len(house.host.activities) == 0
        assert len(house.host.reminders) == 0
        assert house.memory.due == {}


def test_asking_for_what_does_not_exist_leaves_nothing_behind(house: House) -> None:
    for number in range(10):
        house.tell(event(str(number)))
    assert house.host.actors == 0


def test_an_instance_with_something_unsaved_is_not_unloaded() -> None:
    with House(bounds=Bounds(idle_instances_max=0)) as house:
        instance_id = begin(house, 0)
        house.host.pause(is_paused=True)
        house.turn(instance_id=instance_id)
        message = event()
        asked = house.tell_soon(type(message)(instance_id=instance_id, event=message.event))
        house.loop.settle()
        assert asked.is_ok
        assert house.host.actors == 0


def test_a_turn_that_a_pause_held_back_runs_although_its_instance_was_unloaded_meanwhile() -> None:
    with House(bounds=Bounds(idle_instances_max=1)) as house:
        house.host.pause(is_paused=True)
        started = [begin(house, number) for number in range(4)]
        assert house.host.actors == 1
        house.host.pause(is_paused=False)
        house.loop.settle()
        for instance_id in started:
            house.turn(COMPLETE, instance_id=instance_id)


def test_a_worker_that_comes_during_a_pause_is_tried_after_it_although_the_instance_was_unloaded() -> None:
    with House(bounds=Bounds(idle_instances_max=0)) as house:
        instance_id = begin(house, 0)
        house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE), instance_id=instance_id)
        house.host.pause(is_paused=True)
        house.connect()
        house.loop.settle()
        assert house.host.actors == 0
        house.host.pause(is_paused=False)
        house.loop.settle()
        house.turn(COMPLETE, instance_id=instance_id)


def test_a_turn_that_a_pause_held_back_is_not_this_hosts_when_its_partition_has_gone() -> None:
    with House(bounds=Bounds(idle_instances_max=1)) as house:
        house.host.pause(is_paused=True)
        started = [begin(house, number) for number in range(4)]
        house.host.release([house.host.partition_of(instance_id) for instance_id in started])
        house.host.pause(is_paused=False)
        house.loop.settle()
        assert not house.has_turn
        assert house.host.actors == 0


def test_what_is_unloaded_is_gone_without_the_garbage_collector() -> None:
    """Which is told to look rarely: whatever has a cycle stays for hours."""
    with House(bounds=Bounds(idle_instances_max=0, awake_instances_max=0)) as house:
        with without_collector() as garbage:
            for number in range(10):
                instance_id = begin(house, number)
                house.turn(activity(0), SendEvent(seq=1, instance_id="nobody", name="x"), instance_id=instance_id)
                house.answer(0, instance_id=instance_id)
                house.turn(COMPLETE, instance_id=instance_id)
            house.advance(60.0)
        assert [thing for thing in garbage if type(thing).__module__.startswith("holdfast")] == []


@contextmanager
def without_collector() -> Generator[list[object]]:
    """Gives what only a collection would have freed."""
    gc.collect()
    gc.disable()
    found: list[object] = []
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_an_instance_that_stalled_at_its_start_is_tried_again_at_its_start_by_an_owner_whose_clock_is_behind() -> None:
    with House(bounds=Bounds(idle_instances_max=0)) as house:
        house.tell(start(scheduled_at=house.clock.now_ns() + 50 * SECOND))
        house.advance(50.0)
        house.turn(Stall(reason=StallReason.VERSION_NOT_AVAILABLE))
        house.crash()
        house.boot(clock_is_behind=20.0)
        assert not house.has_turn
        house.advance(20.0)
        house.turn(COMPLETE)
        assert house.status() is Status.COMPLETED
