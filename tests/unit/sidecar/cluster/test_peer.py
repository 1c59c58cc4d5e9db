"""Two ends of a link, joined by hand: what one asks, the other answers; and what becomes of it when the link breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast_proto.history import ActivityScheduled, Status
from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.cluster.outgoing import ITEMS_MAX
from holdfast_sidecar.cluster.peer import ASKED_MAX, Peer
from holdfast_sidecar.cluster.words import RunOrder, StopOrder, Which, decode_frame, encode_frame
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Kind, NotOwner
from holdfast_sidecar.core.messages import Message, Terminate
from holdfast_sidecar.core.state import Record, View

_VIEW = View(record=Record(id="i", name="w", status=Status.COMPLETED, created_at=1, updated_at=1, execution_id="e"))


class Here:
    """A host that does nothing by itself."""

    def __init__(self) -> None:
        self.posted: list[tuple[Message, Reply]] = []
        self.runs: list[RunOrder] = []
        self.watches: dict[str, Watch] = {}
        self.changes = 0
        self.held: list[tuple[str, Which]] = []
        self.returned: list[tuple[str, Which]] = []

    def post(self, message: Message, reply: Reply) -> None:
        self.posted.append((message, reply))

    def run_order(self, host_id: str, order: RunOrder) -> None:
        self.runs.append(order)

    def stop_order(self, order: StopOrder) -> None: ...

    def watch_local(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        self.watches[instance_id] = watch

        def stop() -> None:
            self.watches.pop(instance_id, None)

        return stop

    def held_at(self, host_id: str, which: Which) -> None:
        self.held.append((host_id, which))

    def returned_by(self, host_id: str, which: Which) -> None:
        self.returned.append((host_id, which))

    def peer_changed(self) -> None:
        self.changes += 1


class Pair:
    def __init__(self) -> None:
        self.here, self.there = Here(), Here()
        self.near, self.far = Peer("far", self.here, wake=lambda: None), Peer("near", self.there, wake=lambda: None)
        self.near.connected()
        self.far.connected()

    def carry(self) -> None:
        """Frames go both ways until nothing waits."""
        for sender, receiver in ((self.near, self.far), (self.far, self.near)) * 2:
            while (frame := sender.next_frame()) is not None:
                receiver.take(decode_frame(encode_frame(frame)))

    def cut(self) -> None:
        self.near.broken()
        self.far.broken()


def _message(number: int = 0) -> Terminate:
    return Terminate(instance_id=f"i-{number}")


def test_an_answer_comes_back_to_who_asked() -> None:
    pair, heard = Pair(), list[HoldfastError | None]()
    pair.near.ask(_message(), heard.append)
    pair.carry()
    [(message, reply)] = pair.there.posted
    assert message == _message()
    reply(None)
    pair.carry()
    assert heard == [None]


def test_a_refusal_is_the_same_error_on_this_side() -> None:
    pair, heard = Pair(), list[HoldfastError | None]()
    pair.near.ask(_message(), heard.append)
    pair.carry()
    pair.there.posted[0][1](NotOwner("elsewhere"))
    pair.carry()
    assert isinstance(heard[0], NotOwner)


def test_whoever_asked_over_a_link_that_breaks_is_told_to_try_again_once() -> None:
    pair, heard = Pair(), list[HoldfastError | None]()
    pair.near.ask(_message(), heard.append)
    pair.carry()
    pair.cut()
    pair.there.posted[0][1](None)  # an answer for a link that is gone
    pair.near.connected()
    pair.far.connected()
    pair.carry()
    assert [error.kind for error in heard if error] == [Kind.UNAVAILABLE]
    assert len(heard) == 1


def test_nothing_can_be_asked_without_a_link() -> None:
    pair, heard = Pair(), list[HoldfastError | None]()
    pair.cut()
    pair.near.ask(_message(), heard.append)
    assert heard[0] is not None
    assert heard[0].kind is Kind.UNAVAILABLE
    assert pair.near.next_frame() is None


def test_more_than_a_frame_holds_goes_in_several_and_in_order() -> None:
    pair = Pair()
    for number in range(2 * ITEMS_MAX + 3):
        pair.near.ask(_message(number), lambda _: None)
    first = pair.near.next_frame()
    assert first is not None
    assert len(first.messages) == ITEMS_MAX
    pair.far.take(first)
    pair.carry()
    assert [message for message, _ in pair.there.posted] == [_message(number) for number in range(2 * ITEMS_MAX + 3)]


def test_the_end_of_a_watched_instance_is_told_once() -> None:
    pair, heard = Pair(), list[View | None]()
    pair.near.watch("i", heard.append, for_end=True)
    pair.carry()
    tell = pair.there.watches["i"]
    tell(_VIEW)
    tell(_VIEW)
    pair.carry()
    assert heard == [_VIEW]


def test_a_watch_that_is_called_off_ends_on_the_other_side_too() -> None:
    pair = Pair()
    stop = pair.near.watch("i", lambda _: None, for_end=True)
    pair.carry()
    stop()
    pair.carry()
    assert pair.there.watches == {}


def test_watches_of_the_other_side_end_with_the_link() -> None:
    pair = Pair()
    pair.near.watch("i", lambda _: None, for_end=True)
    pair.carry()
    pair.cut()
    assert pair.there.watches == {}


def test_an_activity_is_ordered_with_its_stored_bytes() -> None:
    pair = Pair()
    event = ActivityScheduled(at=1, seq=3, name="a")
    pair.near.run(RunActivity("i", "e", 7, event, b"stored"))
    pair.carry()
    assert pair.there.runs == [RunOrder("i", "e", 7, b"stored")]


@pytest.mark.parametrize("hears", [True, False])
def test_a_change_of_trust_is_told_and_only_a_change(hears: bool) -> None:
    pair = Pair()
    pair.near.tell_trust(hears_placement=hears)
    pair.near.tell_trust(hears_placement=hears)
    pair.carry()
    assert pair.far.hears_placement is hears
    assert pair.there.changes == (0 if hears else 1)


def test_a_peer_that_answers_too_little_is_asked_no_more() -> None:
    pair, heard = Pair(), list[HoldfastError | None]()
    for number in range(ASKED_MAX):
        pair.near.ask(_message(number), heard.append)
    assert heard == []
    pair.near.ask(_message(ASKED_MAX), heard.append)
    assert [error.kind for error in heard if error] == [Kind.UNAVAILABLE]
    pair.carry()
    pair.there.posted[0][1](None)
    pair.carry()
    pair.near.ask(_message(ASKED_MAX), heard.append)
    pair.carry()
    assert len(pair.there.posted) == ASKED_MAX + 1


def test_orders_do_not_gather_for_a_peer_that_is_not_there() -> None:
    pair = Pair()
    pair.cut()
    pair.near.run(RunActivity("i", "e", 7, ActivityScheduled(at=1, seq=3, name="a"), b"stored"))
    pair.near.stop(StopActivity("i", "e", 3, 7, has_ended=True))
    assert pair.near.next_frame() is None


def test_what_a_peer_is_at_is_heard_before_the_table_by_which_it_was_told() -> None:
    pair, which = Pair(), Which("i-0", "e", 7)
    heard = list[int]()
    pair.there.peer_changed = lambda: heard.append(len(pair.there.held))  # type: ignore[method-assign]
    pair.near.tell_held([which], follows=5)
    pair.carry()
    assert (pair.there.held, heard, pair.far.follows) == ([("near", which)], [1], 5)
    pair.near.give_back(which)
    pair.carry()
    assert pair.there.returned == [("near", which)]
    pair.cut()
    assert pair.far.follows == -1
