"""Where a COMMIT runs: on the loop while the disk is quick, else in the thread, and tried again later."""

from __future__ import annotations

from holdfast_sidecar.stores.sqlite_pace import QUICK_MAX, REST_MAX, REST_MIN, SLOW_MIN, Pace


class Disk:
    """A commit that takes as long as it is told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.takes = 0.0

    def now(self) -> float:
        return self.time

    def commit(self) -> None:
        self.time += self.takes


def rest(pace: Pace) -> int:
    """How many commits go to the thread before one is tried."""
    return next(number for number in range(10 * REST_MAX) if pace.is_quick())


def test_a_quick_disk_is_waited_for_on_the_loop() -> None:
    disk = Disk()
    pace = Pace(disk.now)
    disk.takes = QUICK_MAX / 2
    assert pace.timed(disk.commit) is None
    assert rest(pace) == 0


def test_a_slow_disk_sends_the_next_ones_to_the_thread_twice_as_many_each_time() -> None:
    disk = Disk()
    pace = Pace(disk.now)
    disk.takes = QUICK_MAX * 3
    for _ in range(SLOW_MIN - 1):
        pace.timed(disk.commit)
        assert rest(pace) == 0
    rests = list[int]()
    for _ in range(10):
        pace.timed(disk.commit)
        rests.append(rest(pace))
    assert rests[:3] == [REST_MIN, REST_MIN * 2, REST_MIN * 4]
    assert rests[-1] == REST_MAX


def test_hiccups_of_a_quick_disk_change_nothing() -> None:
    disk = Disk()
    pace = Pace(disk.now)
    for _ in range(5):
        for takes in (*[QUICK_MAX * 3] * (SLOW_MIN - 1), 0.0):
            disk.takes = takes
            pace.timed(disk.commit)
            assert rest(pace) == 0


def test_a_disk_that_was_slow_is_quick_again_after_one_try() -> None:
    disk = Disk()
    pace = Pace(disk.now)
    disk.takes = QUICK_MAX * 3
    for _ in range(SLOW_MIN):
        pace.timed(disk.commit)
    assert rest(pace) == REST_MIN
    disk.takes = 0.0
    pace.timed(disk.commit)
    assert rest(pace) == 0
    disk.takes = QUICK_MAX * 3
    for _ in range(SLOW_MIN):
        pace.timed(disk.commit)
    assert rest(pace) == REST_MIN


def test_the_error_of_a_commit_is_given_to_who_asked() -> None:
    def fails() -> None:
        raise ValueError("disk")

    assert isinstance(Pace().timed(fails), ValueError)
