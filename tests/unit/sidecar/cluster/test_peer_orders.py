"""What a peer was ordered to do and a broken link lost is said again: activities, the wish to stop them, watches."""

from __future__ import annotations

import pytest

from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, empty, moved
from holdfast_placement.table import Host as Member
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import no_reply
from holdfast_sidecar.cluster.peer import Peer
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.cluster.words import Frame
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import ActivityAnswer
from holdfast_sidecar.stores.memory import MemoryStore

_EVENT = ActivityScheduled(at=1, seq=3, name="a")
_RUN = RunActivity("i", "e", 7, _EVENT, encode_event(_EVENT))
_CANCEL, _ENDED = (StopActivity("i", "e", 3, 7, has_ended=has_ended) for has_ended in (False, True))


class Pair:
    """Host a, that owns nothing, and its end of the link to host b, that owns everything."""

    def __init__(self) -> None:
        host = Host(store=MemoryStore(), clock=SystemClock(), ids=SystemIds(), partitions=1, limits=Limits())
        members = [Member("a", "127.0.0.1:1", "1"), Member("b", "127.0.0.1:2", "1")]
        table = moved(empty(AppKey("default", "app"), 1), members, owners=["b"], version=1)
        self.router = ClusterRouter(host, host_id="a", table=table, rule="by-hash", look=lambda _id, _told: None)
        self.peer = Peer("b", self.router, wake=lambda: None)
        self.router.add_peer(self.peer)
        self.link()

    def link(self) -> None:
        self.peer.connected()
        self.router.peer_connected("b")

    def relink(self) -> None:
        self.peer.broken()
        self.link()

    def sent(self) -> Frame:
        return self.peer.next_frame() or Frame()


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_an_order_that_was_lost_with_its_link_is_given_again(pair: Pair) -> None:
    pair.router.run_activity(_RUN)
    pair.relink()
    assert [run.row for run in pair.sent().runs] == [7]


def test_an_order_of_a_time_without_a_link_is_given_with_the_next(pair: Pair) -> None:
    pair.peer.broken()
    pair.router.run_activity(_RUN)
    assert pair.sent() == Frame()
    pair.link()
    assert [run.row for run in pair.sent().runs] == [7]


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_wish_to_stop_that_was_lost_is_said_again_after_the_order(pair: Pair, is_linked: bool) -> None:
    pair.router.run_activity(_RUN)
    if not is_linked:
        pair.peer.broken()
    pair.router.stop_activity(_CANCEL)
    pair.relink()
    frame = pair.sent()
    assert [run.row for run in frame.runs] == [7]
    assert [(stop.row, stop.has_ended) for stop in frame.stops] == [(7, False)]


def test_what_was_answered_or_has_ended_is_not_ordered_again(pair: Pair) -> None:
    pair.router.run_activity(_RUN)
    pair.router.stop_activity(_CANCEL)
    pair.router.post(ActivityAnswer(instance_id="i", execution_id="e", row=7, event=b""), no_reply)
    pair.router.run_activity(_RUN)
    pair.router.stop_activity(_ENDED)
    pair.relink()
    frame = pair.sent()
    assert (frame.runs, frame.stops) == ([], [])


def test_who_waits_for_an_instance_of_a_peer_leaves_the_look_at_the_store_to_it(pair: Pair) -> None:
    pair.router.watch("i", lambda _: None, for_end=True)
    assert pair.router.will_tell("i", for_end=True)
    assert [order.instance_id for order in pair.sent().watches] == ["i"]


def test_who_waits_without_a_link_to_the_owner_looks_and_is_told_with_the_next_link(pair: Pair) -> None:
    pair.peer.broken()
    pair.router.watch("i", lambda _: None, for_end=True)
    assert not pair.router.will_tell("i", for_end=True)
    pair.link()
    assert [order.instance_id for order in pair.sent().watches] == ["i"]
