"""What waits for a peer is cut into frames, in order, by number and by weight."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.cluster.outgoing import BYTES_MAX, ITEMS_MAX, Outgoing
from holdfast_sidecar.cluster.words import Frame, WatchOrder


def _frames(outgoing: Outgoing) -> list[Frame]:
    frames = list[Frame]()
    while (frame := outgoing.next()) is not None:
        frames.append(frame)
    return frames


@given(st.lists(st.integers(0, BYTES_MAX + 1), max_size=3 * ITEMS_MAX))
def test_every_item_comes_once_and_in_order(weights: list[int]) -> None:
    outgoing = Outgoing()
    for number, weight in enumerate(weights):
        outgoing.room(weight).unwatches.append(number)
    assert [number for frame in _frames(outgoing) for number in frame.unwatches] == [*range(len(weights))]


@given(st.lists(st.integers(0, BYTES_MAX + 1), max_size=3 * ITEMS_MAX))
def test_no_frame_holds_too_many_or_too_much_unless_it_is_one(weights: list[int]) -> None:
    outgoing = Outgoing()
    for number, weight in enumerate(weights):
        outgoing.room(weight).unwatches.append(number)
    for frame in _frames(outgoing):
        assert frame.items <= ITEMS_MAX
        assert frame.items == 1 or sum(weights[number] for number in frame.unwatches) <= BYTES_MAX


def test_calling_off_does_not_overtake_what_is_called_off() -> None:
    outgoing = Outgoing()
    for number in range(ITEMS_MAX + 1):
        outgoing.room().watches.append(WatchOrder(number, "i", True))
    outgoing.room().unwatches.append(ITEMS_MAX)
    first, second = _frames(outgoing)
    assert (len(first.watches), first.unwatches) == (ITEMS_MAX, [])
    assert (len(second.watches), second.unwatches) == (1, [ITEMS_MAX])


def test_what_is_forgotten_never_comes() -> None:
    outgoing = Outgoing()
    for number in range(2 * ITEMS_MAX):
        outgoing.room().unwatches.append(number)
    outgoing.forget()
    assert outgoing.next() is None
