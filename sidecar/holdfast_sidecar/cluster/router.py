"""The router of a host in a cluster: finds the owner in the table, asks it, and asks again while owners change.

    message --partition--> table --> this host's mailbox
                                 \\-> the peer that owns it --answer--> reply
    "not mine" or a broken link: wait a little (or for the next table), look again

Work sent away is remembered until it is answered, so that it can be sent again when its host goes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from holdfast_placement.table import Table, partition_of
from holdfast_proto.codec import decode_event
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.ports import Reply
from holdfast_sidecar.actors.watchers import Watch
from holdfast_sidecar.cluster.peer import Peer
from holdfast_sidecar.cluster.words import RunOrder, StopOrder
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError, Kind, Unavailable
from holdfast_sidecar.core.messages import ActivityAnswer, Message
from holdfast_sidecar.core.state import View

_log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_CAP = 0.02, 1.0
ASK_LIMIT = 25.0  # seconds that a client's message looks for its owner; a failover takes a lease and a moment
Key = tuple[str, str, int]


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
        is_local_first: bool,
        look: Callable[[str, Callable[[View | None], None]], None],
    ) -> None:
        self._host = host
        self._host_id = host_id
        self._table = table
        self._is_local_first = is_local_first
        self._look = look  # reads an instance's state from the store and calls back
        self.on_trust_changed: Callable[[], None] = lambda: None
        self._hears_placement = True
        self._peers: dict[str, Peer] = {}
        self._away: dict[Key, tuple[str, RunActivity]] = {}  # activities at other hosts, and at which
        self._canceled: dict[Key, StopActivity] = {}  # of those: their worker is to be asked to stop
        self._unplaced: dict[Key, RunActivity] = {}  # activities whose partition has no owner now
        self._watches: dict[int, _Watching] = {}
        self._next_watch = 0
        self._is_stopped = False
        self.local_messages = 0
        self.remote_messages = 0

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
        """No peer hears placement either, and all say so: placement is away, and nobody is given our partitions."""
        return all(peer.is_connected and not peer.hears_placement for peer in self._peers.values())

    def peer_trust_changed(self) -> None:
        self.on_trust_changed()

    def peer_connected(self, host_id: str) -> None:
        """A link is up (again): what was sent to that host may have been lost with the last one."""
        self._peers[host_id].tell_trust(hears_placement=self._hears_placement)
        for key, order in self._away_at(host_id).items():
            self._peers[host_id].run(order)
            if key in self._canceled:
                self._peers[host_id].stop(self._canceled[key])
        self._rewatch(lambda watching: watching.owner == host_id)

    def peer_gone(self, host_id: str) -> None:
        """The host is no member any more: its activities run elsewhere."""
        peer = self._peers.pop(host_id, None)
        if peer is not None:
            peer.broken()
        for key, order in self._away_at(host_id).items():
            del self._away[key]
            stop = self._canceled.pop(key, None)
            self.run_activity(order)
            if stop is not None:
                self.stop_activity(stop)

    def use(self, table: Table) -> None:
        """A new table is in force."""
        self._table = table
        unplaced, self._unplaced = self._unplaced, {}
        for order in unplaced.values():
            self.run_activity(order)
        self._rewatch(lambda watching: watching.owner != self._owner(watching.instance_id))

    def stop(self) -> None:
        self._is_stopped = True

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
                again = min(delay * 2, RETRY_CAP)
                self._host.clock.call_later(delay, lambda: self._ask(message, reply, until=until, delay=again))

        self._once(message, replied)

    def _once(self, message: Message, reply: Reply) -> None:
        owner = self._owner(message.instance_id)
        if owner == self._host_id or self._host.owns(message.instance_id):
            self.local_messages += 1
            self.post(message, reply)
            return
        peer = None if owner is None else self._peers.get(owner)
        if peer is None:
            reply(_nobody(message.instance_id, owner))
        else:
            self.remote_messages += 1
            peer.ask(message, reply)

    # -- activities ------------------------------------------------------------------------------------------------

    def run_activity(self, order: RunActivity) -> None:
        key = (order.instance_id, order.execution_id, order.row)
        owner = self._place(order)
        if owner == self._host_id:
            self._host.activities.run(order)
        elif owner is None:
            self._unplaced[key] = order
        else:
            self._away[key] = (owner, order)
            peer = self._peers.get(owner)
            if peer is not None and peer.is_connected:
                peer.run(order)

    def _place(self, order: RunActivity) -> str | None:
        options = order.event.options
        wants_local = self._is_local_first or (options is not None and options.is_local_first)
        if wants_local and self._host.pool.has_free_slot(order.event.name, order.event.version):
            return self._host_id
        return self._owner(keys.activity_actor_id(order.instance_id, order.event.seq))

    def stop_activity(self, order: StopActivity) -> None:
        key = (order.instance_id, order.execution_id, order.row)
        self._unplaced.pop(key, None)
        away = self._away.get(key)
        if away is None:
            self._host.activities.stop(order)
            return
        if order.has_ended:  # lost with the link, its worker runs to an end that nobody takes
            del self._away[key]
            self._canceled.pop(key, None)
        else:
            self._canceled[key] = order
        peer = self._peers.get(away[0])
        if peer is not None:
            peer.stop(order)

    def forget_activities(self, instance_owned: Callable[[str], bool]) -> None:
        """Instances that moved away take their activities with them: their new owner asks for the answers."""
        for key in [key for key in (*self._away, *self._unplaced) if not instance_owned(key[0])]:
            self._away.pop(key, None)
            self._unplaced.pop(key, None)
            self._canceled.pop(key, None)

    # -- what peers ask of us --------------------------------------------------------------------------------------

    def post(self, message: Message, reply: Reply) -> None:
        if isinstance(message, ActivityAnswer):
            key = (message.instance_id, message.execution_id, message.row)
            self._away.pop(key, None)
            self._canceled.pop(key, None)
        self._host.post(message, reply)

    def run_order(self, order: RunOrder) -> None:
        event = decode_event(order.event)
        if isinstance(event, ActivityScheduled):
            self._host.activities.run(RunActivity(order.instance_id, order.execution_id, order.row, event, order.event))

    def stop_order(self, order: StopOrder) -> None:
        self._host.activities.stop(
            StopActivity(order.instance_id, order.execution_id, order.seq, order.row, order.has_ended)
        )

    def watch_local(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        """For a peer. What ended between its look at the store and now would never be told, so look once more."""
        stop = self._host.watchers.add(instance_id, watch, for_end=for_end)
        if not self._host.will_tell(instance_id, for_end=for_end):
            self._look(instance_id, lambda view: self._host.watchers.tell(instance_id, view))
        return stop

    # -- waiting clients -------------------------------------------------------------------------------------------

    def watch(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        self._next_watch += 1
        number = self._next_watch

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
