"""The thread that beats for all connections: one, as long as there are any."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from holdfast_kit.rpc.pulse import Pulse

LIMIT = 20.0


class Heart:
    def __init__(self) -> None:
        self.beats = SimpleQueue[threading.Thread]()

    def beat(self) -> None:
        self.beats.put(threading.current_thread())


class Rhythm:
    """The test says when it is time."""

    def __init__(self) -> None:
        self._times = SimpleQueue[None]()

    def __call__(self) -> None:
        self._times.get(timeout=LIMIT)

    def next(self) -> None:
        self._times.put(None)


def test_all_members_beat_in_one_thread_until_they_go() -> None:
    rhythm, first, second = Rhythm(), Heart(), Heart()
    pulse = Pulse(rhythm)
    pulse.add(first)
    pulse.add(second)
    rhythm.next()
    thread = first.beats.get(timeout=LIMIT)
    assert second.beats.get(timeout=LIMIT) is thread
    pulse.remove(first)
    rhythm.next()
    assert second.beats.get(timeout=LIMIT) is thread
    assert first.beats.empty()
    pulse.remove(second)
    rhythm.next()
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_it_begins_again_after_all_have_gone() -> None:
    rhythm, heart = Rhythm(), Heart()
    pulse = Pulse(rhythm)
    threads = set[threading.Thread]()
    for _ in range(2):
        pulse.add(heart)
        rhythm.next()
        thread = heart.beats.get(timeout=LIMIT)
        threads.add(thread)
        pulse.remove(heart)
        rhythm.next()
        thread.join(LIMIT)
    assert len(threads) == 2


def test_a_member_that_nobody_holds_is_forgotten() -> None:
    rhythm, heart = Rhythm(), Heart()
    pulse, beats = Pulse(rhythm), heart.beats
    pulse.add(heart)
    rhythm.next()
    thread = beats.get(timeout=LIMIT)
    del heart
    rhythm.next()
    thread.join(LIMIT)
    assert not thread.is_alive()
