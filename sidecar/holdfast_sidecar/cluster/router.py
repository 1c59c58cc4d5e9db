"""The router of a host in a cluster: finds the owner in the table, asks it, and asks again while owners change.

    message --partition--> table --> this host's mailbox
                                 \\-> the peer that owns it --answer--> reply
    "not mine" or a broken link: wait a little (or for the next table), look again

Work sent away is remembered until it is answered, so that it can be sent again when its host goes. When instances move,
whoever is at one of their activities tells the new owner, and the owner waits for that word before it gives out again
what the history leaves open: a move runs nothing twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, TypeAlias

from holdfast_kit.clock import Handle
from holdfast_placement.table import Table, partition_of
from holdfast_proto.codec import decode_event
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.cluster.peer import Peer
from holdfast_sidecar.cluster.words import RunOrder, StopOrder, Which
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Kind, Unavailable
from holdfast_sidecar.core.messages import ActivityAnswer, Message
from holdfast_sidecar.core.state import View

_log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_CAP = 0.02, 1.0
ASK_LIMIT = 25.0  # seconds that a client's message looks for its owner; a failover takes a lease and a moment
WORD_LIMIT = 0.5  # seconds for the peers to tell what they are at; it takes them milliseconds
RETURN_DELAY = 0.05  # until what a peer gave back is placed anew: by then our table says what its table says
Key = tuple[str, str, int]
# Where an activity runs. "by-hash": at the owner of its own id. "local-first": beside its workflow while a worker there
# has a free slot. "auto": so if nothing else of its workflow runs, else by hash.
Rule: TypeAlias = Literal["auto", "by-hash", "local-first"]


@dataclass(slots=True)
class _Watching:
    instance_id: str
    for_end: bool
    watch: Watch
    owner: str | None = None
    stop: Callable[[], None] = field(default=lambda: None)


class ClusterRouter:
    def __init__(
        self,
        host: Host,
        *,
        host_id: str,
        table: Table,
        rule: Rule,
        look: Callable[[str, Callable[[View | None], None]], None],
    ) -> None:
        self._host = host
        self._host_id = host_id
        self._table = table
        self._rule = rule
        self._look = look  # reads an instance's state from the store and calls back
        self.on_peer_changed: Callable[[], None] = lambda: None
        self._hears_placement = True
        self._peers: dict[str, Peer] = {}
        self._away: dict[Key, tuple[str, RunActivity]] = {}  # activities at other hosts, and at which
        self._canceled: dict[Key, StopActivity] = {}  # of those and the unplaced: their worker is to be asked to stop
        self._unplaced: dict[Key, tuple[RunActivity, bool]] = {}  # nobody to run it now, or not known who is at it
        self._held: dict[Key, str] = {}  # activities that a peer is at, of instances that came or will come here
        self._word_timer: Handle | None = None  # runs while not all peers have told what they are at
        self._retries: dict[int, tuple[Handle, Callable[[], None]]] = {}  # what waits, and what a new table does to it
        self._watches: dict[int, _Watching] = {}
        self._numbers = count()
        self._is_stopped = False

    # -- who is where ----------------------------------------------------------------------------------------------

    def add_peer(self, peer: Peer) -> None:
        self._peers[peer.host_id] = peer

    def tell_trust(self, *, hears_placement: bool) -> None:
        self._hears_placement = hears_placement
        for peer in self._peers.values():
            if peer.is_connected:
                peer.tell_trust(hears_placement=hears_placement)

    @property
    def is_everybody_cut_off(self) -> bool:
        """No peer hears placement either, and all that own anything say so: placement is away, and nobody is given our
        partitions."""
        return all(
            not peer.hears_placement if peer.is_connected else self._is_guest(host_id)
            for host_id, peer in self._peers.items()
        )

    def peer_changed(self) -> None:
        self._consider_word()
        self.on_peer_changed()

    def peer_connected(self, host_id: str) -> None:
        """A link is up (again): what was sent to that host may have been lost with the last one."""
        peer = self._peers[host_id]
        peer.tell_trust(hears_placement=self._hears_placement)
        self._forget_held(host_id)
        held = (key for key in self._host.activities.known() if self._owner(key[0]) == host_id)
        peer.tell_held((Which(*key) for key in held), follows=self._table.version)
        for key, order in self._away_at(host_id).items():
            peer.run(order)
            if key in self._canceled:
                peer.stop(self._canceled[key])
        self._rewatch(lambda watching: watching.owner == host_id)

    def peer_gone(self, host_id: str) -> None:
        """The host is no member any more: its activities run elsewhere."""
        peer = self._peers.pop(host_id, None)
        if peer is not None:
            peer.broken()
        self._forget_held(host_id)
        for key, order in self._away_at(host_id).items():
            del self._away[key]
            self._unplaced[key] = (order, False)
            self._place_again(key)

    def use(self, table: Table) -> None:
        """A new table is in force. The next call says who is in it (`Links.use`), and then `wait_for_word` is due."""
        before, self._table = self._table, table
        retries, self._retries = self._retries, {}
        for handle, soon in retries.values():
            handle.cancel()
            soon()
        if self._is_guest(self._host_id):
            for key in self._host.activities.drop_waiting():
                self._give_back(self._owner(key[0]), key)
        self._tell_held(before)
        self._rewatch(lambda watching: watching.owner != self._owner(watching.instance_id))

    def wait_for_word(self) -> None:
        """Instances may come: what they left open is not given out again before all peers have told what they are at,
        each by a table no older than ours. One that keeps silent is waited for a moment only."""
        self._end_wait()
        self._word_timer = self._host.clock.call_later(WORD_LIMIT, self._take_word)
        self._consider_word()

    def _consider_word(self) -> None:
        version = self._table.version
        if self._word_timer is not None and all(peer.follows >= version for peer in self._peers.values()):
            self._take_word()

    def _take_word(self) -> None:
        self._end_wait()
        # What was told by this very table, of instances that it gives to others, was told for an older one.
        for key, where in list(self._held.items()):
            peer = self._peers.get(where)
            if peer is None or (peer.follows == self._table.version and self._owner(key[0]) != self._host_id):
                del self._held[key]
        for key in list(self._unplaced):
            self._place_again(key)

    def stop(self) -> None:
        self._is_stopped = True
        self._end_wait()

    def _end_wait(self) -> None:
        if self._word_timer is not None:
            self._word_timer.cancel()
            self._word_timer = None

    def _is_guest(self, host_id: str) -> bool:
        member = self._table.host(host_id)
        return member is not None and member.is_guest

    def _tell_held(self, before: Table) -> None:
        """To each peer that we are at activities of instances that came to it."""
        held: defaultdict[str, list[Which]] = defaultdict(list)
        for key in self._host.activities.known():
            partition = partition_of(key[0], self._table.partitions)
            owner = self._table.rows[partition].host
            if owner is not None and owner != before.rows[partition].host:
                held[owner].append(Which(*key))
        for host_id, peer in self._peers.items():
            if peer.is_connected:  # else it is told once it is
                peer.tell_held(held[host_id], follows=self._table.version)

    def _forget_held(self, host_id: str) -> None:
        self._held = {key: where for key, where in self._held.items() if where != host_id}

    def _away_at(self, host_id: str) -> dict[Key, RunActivity]:
        return {key: order for key, (where, order) in self._away.items() if where == host_id}

    def _owner(self, actor_id: str) -> str | None:
        return self._table.rows[partition_of(actor_id, self._table.partitions)].host

    # -- messages --------------------------------------------------------------------------------------------------

    def ask(self, message: Message, reply: Reply) -> None:
        """For clients: looks for the owner for a while, then says that there is none."""
        until = self._host.clock.monotonic() + ASK_LIMIT
        self._ask(message, reply, until=until, delay=RETRY_FIRST)

    def send(self, message: Message, reply: Reply) -> None:
        """Between instances: until it is taken or refused for good."""
        self._ask(message, reply, until=None, delay=RETRY_FIRST)

    def _ask(self, message: Message, reply: Reply, *, until: float | None, delay: float) -> None:
        def replied(error: HoldfastError | None) -> None:
            if (
                error is None
                or error.kind is not Kind.UNAVAILABLE
                or self._is_stopped
                or (until is not None and self._host.clock.monotonic() >= until)
            ):
                reply(error)
            else:
                self._ask_later(message, reply, until=until, delay=delay)

        self._once(message, replied)

    def _ask_later(self, message: Message, reply: Reply, *, until: float | None, delay: float) -> None:
        number, clock = next(self._numbers), self._host.clock

        def again() -> None:
            del self._retries[number]
            self._ask(message, reply, until=until, delay=min(delay * 2, RETRY_CAP))

        def soon() -> None:
            clock.call_later(RETRY_FIRST, lambda: self._ask(message, reply, until=until, delay=RETRY_FIRST))

        self._retries[number] = (clock.call_later(delay, again), soon)

    def _once(self, message: Message, reply: Reply) -> None:
        owner = self._owner(message.instance_id)
        if owner == self._host_id or self._host.owns(message.instance_id):
            self.post(message, reply)
            return
        peer = None if owner is None else self._peers.get(owner)
        if peer is None:
            reply(_nobody(message.instance_id, owner))
        else:
            peer.ask(message, reply)

    # -- activities ------------------------------------------------------------------------------------------------

    def run_activity(self, order: RunActivity, *, is_alone: bool = False, is_again: bool = False) -> None:
        key = (order.instance_id, order.execution_id, order.row)
        where = self._peer_at(key) if is_again else None
        if is_again and self._host.activities.knows(key):
            return
        if is_again and where is None and self._word_timer is not None:
            self._unplaced[key] = (order, is_alone)
            return
        self._held.pop(key, None)
        self._give_out(key, order, where or self._place(order, is_alone=is_alone))

    def _peer_at(self, key: Key) -> str | None:
        """The peer that was ordered to run it, or has told that it is at it."""
        return self._away[key][0] if key in self._away else self._held.get(key)

    def _give_out(self, key: Key, order: RunActivity, where: str | None) -> None:
        if where == self._host_id:
            self._host.activities.run(order)
        elif where is None:
            self._unplaced[key] = (order, False)
        else:
            self._away[key] = (where, order)
            peer = self._peers.get(where)
            if peer is not None and peer.is_connected:
                peer.run(order)

    def _place_again(self, key: Key) -> None:
        """What was not placed before; should it be canceled since, its host is told."""
        if key not in self._unplaced:
            return
        order, is_alone = self._unplaced.pop(key)
        stop = self._canceled.pop(key, None)
        self.run_activity(order, is_alone=is_alone, is_again=True)
        if stop is not None:
            self.stop_activity(stop)

    def _place(self, order: RunActivity, *, is_alone: bool) -> str | None:
        options = order.event.options
        wants_local = (
            self._rule == "local-first"
            or (is_alone and self._rule == "auto")
            or (options is not None and options.is_local_first)
        )
        if wants_local and self._host.pool.has_free_slot(order.event.name, order.event.version):
            return self._host_id
        return self._owner(keys.activity_actor_id(order.instance_id, order.event.seq))

    def stop_activity(self, order: StopActivity) -> None:
        """When its instance has ended and the word is lost with a link, its worker runs to an end that nobody takes."""
        key = (order.instance_id, order.execution_id, order.row)
        where = self._peer_at(key)
        is_unplaced = key in self._unplaced
        if order.has_ended:
            self._forget_activity(key)
        elif is_unplaced or where is not None:
            self._canceled[key] = order
        if where is not None:
            peer = self._peers.get(where)
            if peer is not None:
                peer.stop(order)
        elif not is_unplaced:
            self._host.activities.stop(order)

    def forget_activities(self, instance_owned: Callable[[str], bool]) -> None:
        """Instances that moved away take their activities with them: their new owner asks for the answers."""
        for key in [key for key in (*self._away, *self._unplaced) if not instance_owned(key[0])]:
            self._away.pop(key, None)
            self._unplaced.pop(key, None)
            self._canceled.pop(key, None)

    def _forget_activity(self, key: Key) -> None:
        self._away.pop(key, None)
        self._canceled.pop(key, None)
        self._unplaced.pop(key, None)
        self._held.pop(key, None)

    def _give_back(self, host_id: str | None, key: Key) -> None:
        peer = None if host_id is None else self._peers.get(host_id)
        if peer is not None:
            peer.give_back(Which(*key))

    # -- what peers ask of us --------------------------------------------------------------------------------------

    def post(self, message: Message, reply: Reply) -> None:
        if isinstance(message, ActivityAnswer) and self._host.owns(message.instance_id):
            self._forget_activity((message.instance_id, message.execution_id, message.row))
        self._host.post(message, reply)

    def run_order(self, host_id: str, order: RunOrder) -> None:
        """Of the owner, as our table has it. The order of one before may have been overtaken by our word that we are at
        nothing of the instance; whoever really owns it orders again."""
        key = (order.instance_id, order.execution_id, order.row)
        if self._host.activities.knows(key):
            return
        if self._is_guest(self._host_id) or self._owner(order.instance_id) != host_id:
            self._give_back(host_id, key)
            return
        event = decode_event(order.event)
        if isinstance(event, ActivityScheduled):
            self._host.activities.run(RunActivity(order.instance_id, order.execution_id, order.row, event, order.event))

    def stop_order(self, order: StopOrder) -> None:
        self._host.activities.stop(
            StopActivity(order.instance_id, order.execution_id, order.seq, order.row, order.has_ended)
        )

    def held_at(self, host_id: str, which: Which) -> None:
        key = (which.instance_id, which.execution_id, which.row)
        if key not in self._away:
            self._held[key] = host_id

    def returned_by(self, host_id: str, which: Which) -> None:
        key = (which.instance_id, which.execution_id, which.row)
        away = self._away.get(key)
        if away is not None and away[0] == host_id:
            del self._away[key]
            self._unplaced[key] = (away[1], False)
            self._host.clock.call_later(RETURN_DELAY, lambda: self._place_again(key))

    def watch_local(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        """For a peer. What ended between its look at the store and now would never be told, so look once more."""
        stop = self._host.watchers.add(instance_id, watch, for_end=for_end)
        if not self._host.will_tell(instance_id, for_end=for_end):
            self._look(instance_id, lambda view: self._host.watchers.tell(instance_id, view))
        return stop

    # -- waiting clients -------------------------------------------------------------------------------------------

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        number = next(self._numbers)

        def told(view: View | None) -> None:
            if self._watches.pop(number, None) is not None:
                watch(view)

        self._watches[number] = watching = _Watching(instance_id, for_end, told)
        self._register(watching, is_first=True)

        def stop() -> None:
            if self._watches.pop(number, None) is not None:
                watching.stop()

        return stop

    def will_tell(self, instance_id: str, *, for_end: bool) -> bool:
        """An owner elsewhere looks itself when the watch reaches it; should the link break, it is asked again."""
        owner = self._owner(instance_id)
        if owner == self._host_id:
            return self._host.will_tell(instance_id, for_end=for_end)
        peer = None if owner is None else self._peers.get(owner)
        return peer is not None and peer.is_connected

    def _register(self, watching: _Watching, *, is_first: bool = False) -> None:
        watching.owner = owner = self._owner(watching.instance_id)
        peer = None if owner is None or owner == self._host_id else self._peers.get(owner)
        if peer is not None and peer.is_connected:
            watching.stop = peer.watch(watching.instance_id, watching.watch, for_end=watching.for_end)
        elif owner == self._host_id and not is_first:
            watching.stop = self.watch_local(watching.instance_id, watching.watch, for_end=watching.for_end)
        else:  # the caller looks at the store itself after the first registration
            watching.stop = self._host.watchers.add(watching.instance_id, watching.watch, for_end=watching.for_end)

    def _rewatch(self, wanted: Callable[[_Watching], bool]) -> None:
        for watching in [watching for watching in self._watches.values() if wanted(watching)]:
            watching.stop()
            self._register(watching)

    @property
    def hosts(self) -> Iterable[str]:
        return self._peers


def _nobody(instance_id: str, owner: str | None) -> Unavailable:
    if owner is None:
        return Unavailable(
            f"instance {instance_id!r}: no sidecar of this app has a worker connected, so nobody owns it now; "
            "start a worker"
        )
    return Unavailable(f"instance {instance_id!r}: its owner {owner!r} is not connected yet; try again")
