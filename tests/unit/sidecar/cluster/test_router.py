"""Who is asked, how often and for how long, while owners change; and where activities go."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast_kit.clock import VirtualClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, empty, moved
from holdfast_placement.table import Host as Member
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.cluster.peer import Peer
from holdfast_sidecar.cluster.router import ASK_LIMIT, RETRY_CAP, RETRY_FIRST, ClusterRouter
from holdfast_sidecar.cluster.words import Answer, Frame, refusal_of
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, InstanceNotFound, NotOwner, Unavailable
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Purge
from holdfast_sidecar.stores.memory import MemoryStore

_MEMBERS = [Member(name, f"127.0.0.1:{number}", "1") for number, name in enumerate("abc", 1)]
_ASKED = Purge(instance_id="order-7")
_EVENT = ActivityScheduled(at=1, seq=3, name="charge")
_RUN = RunActivity("order-7", "e", 7, _EVENT, encode_event(_EVENT))
_NOT_MINE = NotOwner("instance 'order-7': not here")


class Here:
    """Host a, which owns nothing, and its ends of the links to b and c."""

    def __init__(self, owner: str | None = "b") -> None:
        self.clock = VirtualClock()
        host = Host(store=MemoryStore(), clock=self.clock, ids=SystemIds(), partitions=1, limits=Limits())
        self.table = empty(AppKey("default", "app"), 1)
        self.router = ClusterRouter(
            host, host_id="a", table=self.table, is_local_first=False, look=lambda _id, _told: None
        )
        self.own(owner)
        self.peers = {name: Peer(name, self.router, wake=lambda: None) for name in "bc"}
        for peer in self.peers.values():
            self.router.add_peer(peer)
            self.link(peer)
        self.replies = list[HoldfastError | None]()

    def own(self, owner: str | None) -> None:
        """The next table gives everything to that host."""
        self.table = moved(self.table, _MEMBERS, owners=[owner], version=self.table.version + 1)
        self.router.use(self.table)

    def link(self, peer: Peer) -> None:
        peer.connected()
        self.router.peer_connected(peer.host_id)
        self.sent(peer.host_id)

    def sent(self, name: str) -> Frame:
        return self.peers[name].next_frame() or Frame()

    def asked(self, name: str) -> Sequence[int]:
        """Numbers of the messages that have gone there since the last look."""
        return [envelope.number for envelope in self.sent(name).messages]

    def answer(self, name: str, number: int, error: HoldfastError | None = None) -> None:
        self.peers[name].take(Frame(answers=[Answer(number, None if error is None else refusal_of(error))]))


@pytest.fixture
def here() -> Here:
    return Here()


def test_the_owner_is_asked_and_its_answer_is_the_reply(here: Here) -> None:
    here.router.ask(_ASKED, here.replies.append)
    [number] = here.asked("b")
    assert not here.replies
    here.answer("b", number)
    assert here.replies == [None]
    assert not here.asked("c")


def test_a_refusal_for_good_is_told_at_once(here: Here) -> None:
    here.router.send(_ASKED, here.replies.append)
    [number] = here.asked("b")
    here.answer("b", number, InstanceNotFound("instance 'order-7': expected to exist"))
    assert [type(error) for error in here.replies] == [InstanceNotFound]
    here.clock.advance(ASK_LIMIT)
    assert not here.asked("b")


def test_whoever_is_owner_no_more_is_asked_no_more(here: Here) -> None:
    here.router.ask(_ASKED, here.replies.append)
    [number] = here.asked("b")
    here.own("c")
    here.answer("b", number, _NOT_MINE)
    assert not here.asked("c"), "a little later, not in the same breath"
    here.clock.advance(RETRY_FIRST)
    [number] = here.asked("c")
    here.answer("c", number)
    assert (here.replies, here.asked("b")) == ([None], [])


def test_asking_again_takes_longer_each_time_up_to_a_cap(here: Here) -> None:
    here.router.send(_ASKED, here.replies.append)
    waits = list[float]()
    for _ in range(9):
        [number] = here.asked("b")
        here.answer("b", number, _NOT_MINE)
        waits.append(here.clock.until_next() or 0.0)
        here.clock.advance_to_next()
    assert waits == pytest.approx([min(RETRY_FIRST * 2**power, RETRY_CAP) for power in range(9)])


def test_a_client_is_told_the_cause_when_its_time_is_over_and_a_message_between_instances_never_is() -> None:
    here = Here(owner=None)
    kept = list[HoldfastError | None]()
    here.router.ask(_ASKED, here.replies.append)
    here.router.send(_ASKED, kept.append)
    here.clock.advance(ASK_LIMIT - 0.01)
    assert not here.replies
    here.clock.advance(RETRY_CAP + 0.01)
    [error] = here.replies
    assert isinstance(error, Unavailable)
    assert "no sidecar of this app has a worker connected" in str(error)
    here.clock.advance(1000)
    assert not kept
    here.own("c")
    here.clock.advance(RETRY_CAP)
    [number] = here.asked("c")
    here.answer("c", number)
    assert kept == [None]


def test_a_link_that_breaks_is_a_reason_to_ask_again(here: Here) -> None:
    here.router.ask(_ASKED, here.replies.append)
    assert len(here.asked("b")) == 1
    here.peers["b"].broken()
    here.link(here.peers["b"])
    here.clock.advance(RETRY_FIRST)
    [number] = here.asked("b")
    here.answer("b", number)
    assert here.replies == [None]


def test_a_router_that_stops_asks_nobody_again(here: Here) -> None:
    here.router.send(_ASKED, here.replies.append)
    [number] = here.asked("b")
    here.router.stop()
    here.answer("b", number, _NOT_MINE)
    assert [type(error) for error in here.replies] == [NotOwner]
    here.clock.advance(ASK_LIMIT)
    assert not here.asked("b")


def test_an_owner_without_a_link_is_named() -> None:
    here = Here()
    here.router.peer_gone("b")
    here.router.ask(_ASKED, here.replies.append)
    here.clock.advance(ASK_LIMIT + RETRY_CAP)
    assert [str(error) for error in here.replies] == [
        "instance 'order-7': its owner 'b' is not connected yet; try again"
    ]


def test_an_activity_runs_at_the_owner_of_its_own_id_and_moves_when_that_host_is_gone(here: Here) -> None:
    here.router.run_activity(_RUN)
    [run] = here.sent("b").runs
    assert (run.instance_id, run.row, run.event) == ("order-7", 7, _RUN.data)
    here.own("c")
    assert here.sent("c") == Frame(), "its host is there and runs it"
    here.router.peer_gone("b")
    assert [run.row for run in here.sent("c").runs] == [7]


def test_the_wish_to_stop_an_activity_moves_with_it(here: Here) -> None:
    here.router.run_activity(_RUN)
    here.router.stop_activity(StopActivity("order-7", "e", 3, 7, has_ended=False))
    assert [stop.row for stop in here.sent("b").stops] == [7]
    here.own("c")
    here.router.peer_gone("b")
    frame = here.sent("c")
    assert ([run.row for run in frame.runs], [stop.row for stop in frame.stops]) == ([7], [7])


def test_an_activity_that_nobody_can_run_waits_for_the_next_table() -> None:
    here = Here(owner=None)
    here.router.run_activity(_RUN)
    assert (here.sent("b"), here.sent("c")) == (Frame(), Frame())
    here.own("c")
    assert [run.row for run in here.sent("c").runs] == [7]


def test_activities_of_an_instance_that_moved_away_are_forgotten(here: Here) -> None:
    here.router.run_activity(_RUN)
    here.sent("b")
    here.router.forget_activities(lambda _: False)
    here.own("c")
    here.router.peer_gone("b")
    assert here.sent("c") == Frame()


def test_everybody_is_cut_off_when_all_peers_are_linked_and_say_so(here: Here) -> None:
    assert not here.router.is_everybody_cut_off
    for name in "bc":
        here.peers[name].take(Frame(hears_placement=False))
        assert here.router.is_everybody_cut_off is (name == "c")
    here.peers["b"].broken()
    assert not here.router.is_everybody_cut_off
