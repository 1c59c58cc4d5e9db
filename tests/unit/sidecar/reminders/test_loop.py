"""The reminder loop: what is due fires at its time and once, what is idle is never read, nothing slips through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import pytest

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Commit, Record, Reminder
from holdfast_sidecar.reminders.loop import HORIZON, PAGE, PERIOD, RETRY, ReminderLoop
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.faults import FailBefore, Fault, FaultyStore, Script, Slow
from holdfast_sidecar.stores.memory import MemoryStore
from tests.simulation.clock import SimClock
from tests.simulation.loop import NANOS, SimLoop


def partition_of(instance_id: str) -> int:
    return int(instance_id[0])


class Desk:
    """A loop of reminders over a store; a test is the actors, which commit and are fired."""

    def __init__(self) -> None:
        self.loop = SimLoop()
        self.clock = SimClock(self.loop)
        self.memory = MemoryStore()
        self.store = FaultyStore(self.memory, plan=Script({}), clock=self.clock)
        self.fired: list[tuple[str, str, float]] = []
        self.started_at = self.clock.now_ns()
        self.reminders = ReminderLoop(self.store, self.clock, fire=self._fire, partition_of=partition_of)
        self._versions: dict[str, int] = {}

    def _fire(self, reminder: Reminder) -> None:
        self.fired.append((reminder.instance_id, reminder.name, self.loop.time()))

    def own(self, *partitions: int) -> None:
        self.loop.play(self.reminders.add(partitions))

    def own_soon(self, *partitions: int) -> asyncio.Task[None]:
        return self.loop.create_task(self.reminders.add(partitions))

    def run(self) -> None:
        self.loop.create_task(self.reminders.run())

    def fail(self, faults: Mapping[str, Sequence[Fault | None]]) -> None:
        self.store.plan = Script(faults)

    def after(self, seconds: float) -> int:
        """So many seconds after the start of the test."""
        return self.started_at + round(seconds * NANOS)

    def write(self, instance_id: str, put: Mapping[str, int] = {}, delete: Sequence[str] = ()) -> None:
        """Commits reminders without telling the loop."""
        version = self._versions.get(instance_id, 0)
        record = Record(
            id=instance_id,
            name="x",
            status=Status.RUNNING,
            created_at=0,
            updated_at=0,
            execution_id="e",
            version=version + 1,
        )
        commit = Commit(
            partition=partition_of(instance_id),
            epoch=1,
            instance_id=instance_id,
            expected_version=version,
            record=record,
            reminders_put=[Reminder(instance_id, name, due_at) for name, due_at in put.items()],
            reminders_delete=delete,
        )
        assert self.memory.apply(commit) is Outcome.APPLIED
        self._versions[instance_id] = version + 1

    def commit(self, instance_id: str, put: Mapping[str, int] = {}, delete: Sequence[str] = ()) -> None:
        """What an actor does: commits, and tells the loop when the commit has landed."""
        self.write(instance_id, put, delete)
        for name in delete:
            self.reminders.forget(instance_id, name)
        for name, due_at in put.items():
            self.reminders.put(Reminder(instance_id, name, due_at))

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.fired]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.loop.end()


def test_what_is_due_fires_at_its_time_in_order_and_once(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    desk.commit("0a", {"timer-1": desk.after(3), "timer-2": desk.after(1)})
    desk.commit("0b", {"timer-1": desk.after(2)})
    desk.loop.advance(60.0)
    assert desk.fired == [("0a", "timer-2", 1.0), ("0b", "timer-1", 2.0), ("0a", "timer-1", 3.0)]


def test_a_past_reminder_fires_at_once(desk: Desk) -> None:
    desk.own(0)
    desk.commit("0a", {"timer-1": 1})
    desk.loop.settle()
    assert desk.names == ["timer-1"]


def test_what_was_stored_before_is_learned_and_what_was_in_flight_fires(desk: Desk) -> None:
    desk.write("0a", {"wake": 0, "timer-1": desk.after(5), "timer-2": desk.after(-5)})
    desk.own(0)
    assert desk.names == ["wake", "timer-2"]
    desk.loop.advance(5.0)
    assert desk.names == ["wake", "timer-2", "timer-1"]


def test_a_reminder_for_recovery_fires_only_when_a_partition_is_taken_over(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    desk.commit("0a", {"wake": 0})
    desk.loop.advance(100.0)
    assert desk.fired == []
    assert len(desk.reminders) == 0


def test_what_is_far_away_costs_no_memory_and_fires_at_its_time(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    far = HORIZON / NANOS * 10
    for number in range(50):
        desk.commit(f"0{number}", {"timer-1": desk.after(far)})
    assert len(desk.reminders) == 0
    desk.loop.advance(far - HORIZON / NANOS - 1)
    assert len(desk.reminders) == 0
    desk.loop.advance(far)
    assert len(desk.fired) == 50
    assert {at for _, _, at in desk.fired} == {far}


def test_what_is_forgotten_does_not_fire(desk: Desk) -> None:
    desk.own(0)
    desk.commit("0a", {"timer-1": desk.after(1)})
    desk.commit("0a", delete=["timer-1"])
    desk.loop.advance(5.0)
    assert desk.fired == []


@pytest.mark.parametrize("second", [1, 9])
def test_a_reminder_that_is_put_again_fires_at_its_new_time(desk: Desk, second: int) -> None:
    desk.own(0)
    desk.commit("0a", {"timer-1": desk.after(5)})
    desk.commit("0a", {"timer-1": desk.after(second)})
    desk.loop.advance(15.0)
    assert desk.fired == [("0a", "timer-1", float(second))]


def test_a_reminder_that_is_put_far_away_does_not_fire_at_its_old_time(desk: Desk) -> None:
    desk.own(0)
    desk.commit("0a", {"timer-1": desk.after(5)})
    desk.commit("0a", {"timer-1": desk.after(1000)})
    desk.loop.advance(50.0)
    assert desk.fired == []


def test_more_than_a_page_is_read_to_its_end(desk: Desk) -> None:
    count = PAGE * 2 + 3
    for number in range(count):
        desk.write(f"0{number}", {"timer-1": desk.after(1), "wake": 0})
    desk.own(0)
    desk.loop.advance(1.0)
    assert desk.names.count("wake") == desk.names.count("timer-1") == count


def test_a_reminder_that_is_stored_while_the_loop_reads_is_not_lost(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    desk.fail({"due": [Slow(after=1.0)]})
    desk.loop.advance(PERIOD + 0.5)
    desk.commit("0a", {"timer-1": desk.after(PERIOD + HORIZON / NANOS - 1)})
    desk.loop.advance(60.0)
    assert desk.names == ["timer-1"]


def test_a_reminder_that_is_stored_while_a_partition_is_taken_over_is_not_lost(desk: Desk) -> None:
    desk.own(0)
    desk.loop.advance(5.0)
    desk.fail({"due": [Slow(after=1.0)]})
    desk.own_soon(1)
    desk.loop.advance(0.5)
    desk.commit("1a", {"timer-1": desk.after(5 + HORIZON / NANOS - 0.5)})
    desk.loop.advance(60.0)
    assert desk.names == ["timer-1"]


def test_an_old_answer_does_not_bring_back_what_a_commit_has_removed(desk: Desk) -> None:
    desk.write("0a", {"timer-1": desk.after(5)})
    desk.fail({"due": [Slow(after=1.0)]})
    desk.own_soon(0)
    desk.loop.advance(0.5)
    desk.commit("0a", delete=["timer-1"])
    desk.loop.advance(60.0)
    assert desk.fired == []


def test_an_old_answer_does_not_undo_a_newer_time(desk: Desk) -> None:
    desk.write("0a", {"timer-1": desk.after(5)})
    desk.fail({"due": [Slow(after=1.0)]})
    desk.own_soon(0)
    desk.loop.advance(0.5)
    desk.commit("0a", {"timer-1": desk.after(9)})
    desk.loop.advance(60.0)
    assert desk.fired == [("0a", "timer-1", 9.0)]


def test_a_partition_that_is_taken_over_while_the_others_are_read_misses_nothing(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    horizon = HORIZON / NANOS
    desk.write("1a", {"timer-1": desk.after(PERIOD - 0.5 + horizon + 0.4)})
    desk.fail({"due": [Slow(after=2.0), Slow(after=0.1)]})
    desk.loop.advance(PERIOD - 0.5)
    desk.own_soon(1)
    desk.loop.advance(PERIOD + horizon)
    assert desk.names == ["timer-1"]


def test_a_read_that_fails_is_tried_again_soon_and_nothing_is_late(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    desk.commit("0a", {"timer-1": desk.after(25)})
    desk.fail({"due": [FailBefore()] * 5})
    desk.loop.advance(PERIOD + 6 * RETRY)
    assert len(desk.reminders) == 1
    desk.loop.advance(20.0)
    assert desk.fired == [("0a", "timer-1", 25.0)]


def test_a_partition_that_was_given_away_does_not_fire(desk: Desk) -> None:
    desk.own(0, 1)
    desk.run()
    desk.commit("0a", {"timer-1": desk.after(5)})
    desk.commit("1a", {"timer-1": desk.after(5)})
    desk.reminders.remove([0])
    desk.loop.advance(60.0)
    assert [instance_id for instance_id, _, _ in desk.fired] == ["1a"]


def test_a_partition_that_comes_back_is_read_again(desk: Desk) -> None:
    desk.own(0, 1)
    desk.reminders.remove([0])
    desk.write("0a", {"timer-1": desk.after(5), "wake": 0})
    desk.own(0)
    desk.loop.advance(5.0)
    assert desk.names == ["wake", "timer-1"]


def test_a_clock_that_is_set_back_delays_and_one_set_forward_does_not_lose(desk: Desk) -> None:
    desk.own(0)
    desk.run()
    desk.commit("0a", {"timer-1": desk.after(5)})
    desk.clock.skew_ns = -3 * NANOS
    desk.loop.advance(7.0)
    assert desk.fired == []
    desk.loop.advance(2.0)
    assert desk.names == ["timer-1"]
    desk.commit("0a", {"timer-2": desk.after(500)})
    desk.clock.skew_ns = 600 * NANOS
    desk.loop.advance(PERIOD)
    assert desk.names == ["timer-1", "timer-2"]


def test_an_idle_loop_reads_a_few_times_a_minute_and_only_what_is_near(desk: Desk) -> None:
    for number in range(100):
        desk.write(f"0{number}", {"timer-1": desk.after(100_000)})
    desk.own(0)
    desk.run()
    desk.loop.advance(600.0)
    assert len(desk.reminders) == 0
