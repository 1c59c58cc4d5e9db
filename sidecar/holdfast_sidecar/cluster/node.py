"""A host as a member of a cluster: placement's word, ownership, links to peers and routing, put together.

worker connects -> Serve -> table -> Ownership: fence, serve    (Router and Links follow the same table)
last worker gone for a while -> Leaving -> guest in the table -> released
leave(): no new turns -> turns in flight end -> Leaving -> guest in the table -> activities at workers end -> Leave
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from holdfast_kit.clock import Handle
from holdfast_placement.table import Table, empty
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.cluster.links import Links
from holdfast_sidecar.cluster.ownership import Ownership
from holdfast_sidecar.cluster.placement_stream import Channel, Me, PlacementStream
from holdfast_sidecar.cluster.router import ClusterRouter, Rule
from holdfast_sidecar.cluster.wire import Dial
from holdfast_sidecar.core.state import View
from holdfast_sidecar.stores.contract import StoreError

_log = logging.getLogger(__name__)

GRACE = 5.0  # seconds that a host without a worker keeps its partitions: an app that restarts is back by then
TURN_LIMIT = 0.2  # seconds for turns in flight when leaving; a longer one is simply run again by the new owner
HANDOVER_LIMIT = 3.0
POLL = 0.005


class ClusterNode:
    def __init__(
        self,
        host: Host,
        me: Me,
        *,
        placement: Sequence[str],
        placement_channel: Channel,
        dial: Dial,
        rule: Rule = "auto",
        identity: Callable[[Sequence[str]], str | None] = lambda _: None,
    ) -> None:
        self._host = host
        self._looks: list[tuple[str, Callable[[View | None], None]]] = []
        self._look_wake = asyncio.Event()
        self._grace: Handle | None = None
        table = empty(me.app, me.partitions)
        self.router = ClusterRouter(host, host_id=me.host_id, table=table, rule=rule, look=self._look)
        host.router = self.router
        self.links = Links(
            me,
            local=self.router,
            router=self.router,
            dial=dial,
            clock=host.clock,
            ids=host.ids,
            identity=identity,
        )
        self.stream = PlacementStream(
            me,
            addresses=placement,
            channel=placement_channel,
            clock=host.clock,
            ids=host.ids,
            on_table=self._take_table,
            on_trust=self._trust,
        )
        self.ownership = Ownership(
            host,
            host_id=me.host_id,
            use=self._use,
            disown=self._disown,
            fenced=self.stream.fenced,
            acquired=self._look_again,
        )
        host.on_lost = self.ownership.lost
        host.pause(is_paused=True)
        self._hears_placement = self._has_heard = self._is_leaving = False
        self.router.on_peer_changed = self._consider_pause
        host.on_worker = self._worker_came
        host.pool.on_disconnect = self._worker_went

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        return [
            group.create_task(self.stream.run(), name="placement"),
            group.create_task(self.ownership.run(), name="ownership"),
            group.create_task(self.links.run(), name="links"),
            group.create_task(self._look_for_ever(), name="looks"),
        ]

    async def leave(self, limit: float) -> None:
        """Hands everything over, so that the others need not wait for a lease to end. What is at workers may end
        within `limit` seconds: the others leave it to us while we are there."""
        host, clock = self._host, self._host.clock
        until = clock.monotonic() + limit
        self._is_leaving = True
        host.pause(is_paused=True)
        await self._until(lambda: not host.pool.running_turns, TURN_LIMIT)
        self.stream.give_up_partitions()
        handed_over = await self._until(lambda: not self.ownership.owned, HANDOVER_LIMIT)
        await self._until(lambda: not host.activities.is_at_work, until - clock.monotonic())
        left = await self.stream.leave(1.0)
        _log.info(
            "left the cluster",
            extra={
                "handed_over": handed_over,
                "said_goodbye": left,
                "activities_left": len(host.activities),
                "at": clock.now_ns(),
            },
        )

    async def _until(self, met: Callable[[], bool], limit: float) -> bool:
        until = self._host.clock.monotonic() + limit
        while not met():
            if self._host.clock.monotonic() >= until:
                return False
            await self._host.clock.sleep(POLL)
        return True

    # -- what placement says ---------------------------------------------------------------------------------------

    def _take_table(self, table: Table) -> None:
        self.ownership.want(table)

    def _use(self, table: Table) -> None:
        """First who owns what, then who is there: what a host that left was doing is placed by the new table."""
        self.router.use(table)
        self.links.use(table)
        self.router.wait_for_word()

    def _disown(self) -> None:
        self.router.forget_activities(self._host.owns)

    def _trust(self, is_trusted: bool) -> None:
        self._hears_placement = is_trusted
        self.router.tell_trust(hears_placement=is_trusted)
        self._consider_pause()

    def _consider_pause(self) -> None:
        """A host that alone hears nothing may have been replaced, so it starts no turns. When all hosts of the last
        table hear nothing, placement is away and the table stays in force. Both are only politeness: the fence decides.
        """
        self._has_heard = self._has_heard or self._hears_placement
        is_paused = not (self._hears_placement or (self._has_heard and self.router.is_everybody_cut_off))
        if is_paused != self._host.is_paused and not self._is_leaving:
            _log.info("turns are held back" if is_paused else "turns go on", extra={"hears": self._hears_placement})
            self._host.pause(is_paused=is_paused)

    # -- workers ---------------------------------------------------------------------------------------------------

    def _worker_came(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self.stream.serve(wanted=True)

    def _worker_went(self) -> None:
        if not self._host.pool.workers and self._grace is None:
            self._grace = self._host.clock.call_later(GRACE, self._stop_serving)

    def _stop_serving(self) -> None:
        self._grace = None
        if not self._host.pool.workers:
            _log.info("no worker is connected any more, giving up the partitions")
            self.stream.serve(wanted=False)

    # -- looking at the store for watchers -------------------------------------------------------------------------

    def _look_again(self, partitions: Sequence[int]) -> None:
        """The owner before may have written an end after the last look, and told nobody: it was not its own any more.
        Now that the fence is up it can write no more."""
        acquired, watchers = frozenset(partitions), self._host.watchers
        for instance_id in watchers.waited():
            if self._host.partition_of(instance_id) in acquired:
                self._look(instance_id, partial(watchers.tell, instance_id))

    def _look(self, instance_id: str, told: Callable[[View | None], None]) -> None:
        self._looks.append((instance_id, told))
        self._look_wake.set()

    async def _look_for_ever(self) -> None:
        while True:
            await self._look_wake.wait()
            self._look_wake.clear()
            looks, self._looks = self._looks, []
            places = [(self._host.partition_of(instance_id), instance_id) for instance_id, _ in looks]
            try:
                views = await self._host.store.view(places, payloads=True)
            except StoreError as error:
                _log.warning("watched instances could not be looked at", extra={"error": str(error)})
                await self._host.clock.sleep(0.5)
                self._looks += looks
                self._look_wake.set()
                continue
            for (_, told), view in zip(looks, views, strict=True):
                told(view)
