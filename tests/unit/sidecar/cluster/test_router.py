"""Who is asked, how often and for how long, while owners change; and where activities go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from holdfast_kit.clock import VirtualClock
from holdfast_kit.ids import SystemIds
from holdfast_placement.table import AppKey, empty, moved
from holdfast_placement.table import Host as Member
from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import ActivityTask, CancelReason, TurnTask
from holdfast_sidecar.cluster.peer import Peer
from holdfast_sidecar.cluster.router import (
    ASK_LIMIT,
    RETRY_CAP,
    RETRY_FIRST,
    RETURN_DELAY,
    WORD_LIMIT,
    ClusterRouter,
    Rule,
)
from holdfast_sidecar.cluster.words import Answer, Envelope, Frame, RunOrder, Which, refusal_of
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, InstanceNotFound, NotOwner, Unavailable
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import ActivityAnswer, Purge
from holdfast_sidecar.stores.memory import MemoryStore

_MEMBERS = [Member(name, f"127.0.0.1:{number}", "1") for number, name in enumerate("abc", 1)]
_ASKED = Purge(instance_id="order-7")
_EVENT = ActivityScheduled(at=1, seq=3, name="charge")
_RUN = RunActivity("order-7", "e", 7, _EVENT, encode_event(_EVENT))
_KEY = ("order-7", "e", 7)
_WHICH = Which(*_KEY)
_NOT_MINE = NotOwner("instance 'order-7': not here")


class Idle:
    """A worker with room, that never answers."""

    id = "w"
    free_turns = free_activities = 1
    patience = 0.0

    def takes_turn(self, name: str, label: str | None) -> bool:
        return False

    def takes_activity(self, name: str, version: str | None) -> bool:
        return True

    def push_turn(self, task: TurnTask) -> None: ...

    def push_activity(self, task: ActivityTask) -> None: ...

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None: ...

    def forget(self, instance_id: str) -> None: ...


class Here:
    """Host a, which owns nothing, and its ends of the links to b and c."""

    def __init__(self, owner: str | None = "b", *, rule: Rule = "by-hash") -> None:
        self.clock = VirtualClock()
        host = Host(store=MemoryStore(), clock=self.clock, ids=SystemIds(), partitions=1, limits=Limits())
        self.table = empty(AppKey("default", "app"), 1)
        self.router = ClusterRouter(host, host_id="a", table=self.table, rule=rule, look=lambda _id, _told: None)
        self.host = host
        self.peers = dict[str, Peer]()
        self.own(owner)
        self.peers = {name: Peer(name, self.router, wake=lambda: None) for name in "bc"}
        for peer in self.peers.values():
            self.router.add_peer(peer)
            self.link(peer)
        self.replies = list[HoldfastError | None]()

    def own(self, owner: str | None, *, guest: str = "") -> None:
        """The next table gives everything to that host, and every peer has told that it is at nothing."""
        self.announce(owner, guest=guest)
        for name in self.peers:
            self.tells(name)

    def announce(self, owner: str | None, *, guest: str = "") -> None:
        members = [replace(member, is_guest=member.id == guest) for member in _MEMBERS]
        self.table = moved(self.table, members, owners=[owner], version=self.table.version + 1)
        self.router.use(self.table)
        self.router.wait_for_word()

    def tells(self, name: str, *held: Which, version: int | None = None) -> None:
        self.peers[name].take(Frame(held=[*held], applied=self.table.version if version is None else version))

    def ran(self, name: str) -> Sequence[int]:
        """Rows of the activities ordered there since the last look."""
        return [run.row for run in self.sent(name).runs]

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


def test_a_new_table_is_a_reason_to_look_again_soon() -> None:
    here = Here(owner=None)
    here.router.send(_ASKED, here.replies.append)
    here.clock.advance(10)
    here.own("c")
    here.clock.advance(RETRY_FIRST)
    [number] = here.asked("c")
    here.answer("c", number, _NOT_MINE)
    here.clock.advance(RETRY_FIRST)
    assert len(here.asked("c")) == 1, "and again: its owner has to fence it first"
    here.clock.advance(RETRY_CAP)
    assert not here.asked("c"), "one at a time"


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
    assert not here.ran("c"), "its host is there and runs it"
    here.router.peer_gone("b")
    assert here.ran("c") == [7]


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
    assert not here.ran("c")


# -- instances that come from elsewhere, with activities that somebody may be at ---------------------------------------


def test_what_came_here_open_is_not_given_out_before_all_peers_have_told_what_they_are_at(here: Here) -> None:
    here.announce("c")
    here.router.run_activity(_RUN, is_again=True)
    here.tells("b")
    assert not here.ran("c")
    here.tells("c")
    assert here.ran("c") == [7]


def test_word_by_an_older_table_is_no_word(here: Here) -> None:
    here.announce("c")
    here.router.run_activity(_RUN, is_again=True)
    here.tells("b", version=here.table.version - 1)
    here.tells("c", version=here.table.version + 1)
    assert not here.ran("c")
    here.tells("b")
    assert here.ran("c") == [7]


def test_a_peer_that_keeps_silent_is_waited_for_a_moment_only(here: Here) -> None:
    here.announce("c")
    here.router.run_activity(_RUN, is_again=True)
    here.clock.advance(WORD_LIMIT - 0.01)
    assert not here.ran("c")
    here.clock.advance(0.02)
    assert here.ran("c") == [7]


def test_what_a_peer_is_at_stays_there(here: Here) -> None:
    here.announce("a")
    here.router.run_activity(_RUN, is_again=True)
    here.tells("b", _WHICH)
    here.tells("c")
    assert (here.ran("b"), [*here.host.activities.known()]) == ([7], [])
    here.router.stop_activity(StopActivity("order-7", "e", 3, 7, has_ended=True))
    assert [stop.row for stop in here.sent("b").stops] == [7]


def test_what_a_peer_was_at_runs_elsewhere_once_it_is_gone(here: Here) -> None:
    here.announce("a")
    here.tells("b", _WHICH)
    here.tells("c")
    here.router.peer_gone("b")
    here.router.run_activity(_RUN, is_again=True)
    assert [*here.host.activities.known()] == [_KEY]


async def test_an_answer_ends_what_was_known_of_it(here: Here) -> None:
    here.announce("a")
    await here.host.acquire([0], 1)
    here.tells("b", _WHICH)
    here.tells("c")
    answer = ActivityAnswer(instance_id="order-7", execution_id="e", row=7, event=b"")
    here.peers["b"].take(Frame(messages=[Envelope(1, answer)]))
    here.router.run_activity(_RUN, is_again=True)
    assert (here.ran("b"), [*here.host.activities.known()]) == ([], [_KEY])


def test_an_answer_that_comes_before_the_instance_ends_nothing(here: Here) -> None:
    """It will come again."""
    here.announce("a")
    here.tells("b", _WHICH)
    here.tells("c")
    answer = ActivityAnswer(instance_id="order-7", execution_id="e", row=7, event=b"")
    here.peers["b"].take(Frame(messages=[Envelope(1, answer)]))
    here.router.run_activity(_RUN, is_again=True)
    assert (here.ran("b"), [*here.host.activities.known()]) == ([7], [])


def test_word_that_came_before_the_table_counts(here: Here) -> None:
    """The peer was quicker: it speaks of a table that has not come here yet."""
    here.tells("b", _WHICH, version=here.table.version + 1)
    here.tells("c", version=here.table.version + 1)
    here.announce("a")
    here.router.run_activity(_RUN, is_again=True)
    assert here.ran("b") == [7]


def test_what_is_new_waits_for_nobody(here: Here) -> None:
    here.announce("c")
    here.router.run_activity(_RUN)
    assert here.ran("c") == [7]


def test_what_is_asked_for_again_stays_where_it_is(here: Here) -> None:
    here.router.run_activity(_RUN)
    here.sent("b")
    here.own("c")
    here.router.run_activity(_RUN, is_again=True)
    assert (here.ran("b"), here.ran("c")) == ([7], [])


def test_the_wish_to_stop_what_is_not_placed_yet_goes_with_it(here: Here) -> None:
    here.announce("c")
    here.router.run_activity(_RUN, is_again=True)
    here.router.stop_activity(StopActivity("order-7", "e", 3, 7, has_ended=False))
    here.tells("b")
    here.tells("c")
    frame = here.sent("c")
    assert ([run.row for run in frame.runs], [stop.row for stop in frame.stops]) == ([7], [7])


def test_what_is_at_work_here_is_told_to_the_new_owner_of_its_instance(here: Here) -> None:
    here.own("a")
    here.host.activities.run(_RUN)
    here.sent("b")
    here.sent("c")
    here.own("c")
    assert (here.sent("b").held, here.sent("c").held) == ([], [_WHICH])
    here.own("b", guest="c")
    assert (here.sent("b").held, here.sent("c").held) == ([_WHICH], [])


def test_a_new_link_hears_all_of_it(here: Here) -> None:
    here.host.activities.run(_RUN)
    here.peers["b"].broken()
    here.peers["b"].connected()
    here.router.peer_connected("b")
    frame = here.sent("b")
    assert (frame.held, frame.applied) == ([_WHICH], here.table.version)


def test_a_guest_gives_back_what_no_worker_has_begun_and_takes_nothing_new(here: Here) -> None:
    here.host.activities.run(_RUN)
    here.own("b", guest="a")
    assert here.sent("b").returned == [_WHICH]
    assert not here.host.activities.known()
    here.peers["b"].take(Frame(runs=[RunOrder("order-7", "e", 7, _RUN.data)]))
    assert here.sent("b").returned == [_WHICH]
    assert not here.host.activities.known()


def test_an_order_of_one_that_owns_the_instance_no_more_is_given_back(here: Here) -> None:
    order = RunOrder("order-7", "e", 7, _RUN.data)
    here.own("c")
    here.peers["b"].take(Frame(runs=[order]))
    assert (here.sent("b").returned, [*here.host.activities.known()]) == ([_WHICH], [])
    here.peers["c"].take(Frame(runs=[order]))
    assert [*here.host.activities.known()] == [_KEY]
    here.own("b")
    here.peers["c"].take(Frame(runs=[order]))
    assert here.sent("c").returned == [], "we are at it, and have told so"


def test_what_is_given_back_is_placed_anew_a_little_later(here: Here) -> None:
    here.router.run_activity(_RUN)
    assert here.ran("b") == [7]
    here.own("c", guest="b")
    here.peers["b"].take(Frame(returned=[_WHICH]))
    assert not here.ran("c"), "by then there is a table that says who is there"
    here.clock.advance(RETURN_DELAY)
    assert (here.ran("b"), here.ran("c")) == ([], [7])


def test_an_activity_that_runs_alone_runs_beside_its_workflow_while_a_worker_there_has_room() -> None:
    here = Here(rule="auto")
    here.router.run_activity(_RUN, is_alone=True)
    assert here.ran("b") == [7], "no worker here"
    here.host.pool.connect(Idle())
    here.router.run_activity(_RUN, is_alone=True)
    assert (here.ran("b"), [*here.host.activities.known()]) == ([], [_KEY])


@pytest.mark.parametrize(("rule", "is_here"), [("auto", False), ("by-hash", False), ("local-first", True)])
def test_where_one_of_several_runs_is_a_matter_of_the_rule(rule: Rule, is_here: bool) -> None:
    here = Here(rule=rule)
    here.host.pool.connect(Idle())
    here.router.run_activity(_RUN)
    assert bool(here.host.activities.known()) is is_here
    assert bool(here.ran("b")) is not is_here


def test_everybody_is_cut_off_whatever_a_guest_without_a_link_would_say(here: Here) -> None:
    here.own("b", guest="c")
    here.peers["c"].broken()
    here.peers["b"].take(Frame(hears_placement=False))
    assert here.router.is_everybody_cut_off


def test_everybody_is_cut_off_when_all_peers_are_linked_and_say_so(here: Here) -> None:
    assert not here.router.is_everybody_cut_off
    for name in "bc":
        here.peers[name].take(Frame(hears_placement=False))
        assert here.router.is_everybody_cut_off is (name == "c")
    here.peers["b"].broken()
    assert not here.router.is_everybody_cut_off
