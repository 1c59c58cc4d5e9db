"""One host: the partitions it owns, their awake instances, and the loops that serve them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids
from holdfast_placement.table import partition_of
from holdfast_sidecar.actors.activities import ActivityHost
from holdfast_sidecar.actors.committer import Committer
from holdfast_sidecar.actors.incoming import Fused
from holdfast_sidecar.actors.loader import Loader
from holdfast_sidecar.actors.pool import Pool
from holdfast_sidecar.actors.ports import Reply, Router, no_reply
from holdfast_sidecar.actors.watchers import Watchers, has_come
from holdfast_sidecar.actors.workflow import WorkflowActor
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.decision import Decision
from holdfast_sidecar.core.errors import HoldfastError, NotOwner, Overloaded, Unavailable
from holdfast_sidecar.core.limits import Limits
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.core.receive import Place
from holdfast_sidecar.core.state import Reminder, View
from holdfast_sidecar.reminders.loop import ReminderLoop
from holdfast_sidecar.stores.contract import Store

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """Plain numbers on the hot path; `telemetry` reads them when somebody asks."""

    turns: int = 0
    starts: int = 0
    ends: int = 0
    fenced: int = 0
    stalls: int = 0
    loads: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a host keeps in memory, and when it says no."""

    idle_instances_max: int = 1_000  # waiting for nothing that is in flight: 4 kB each, and cheap to load again
    awake_instances_max: int = 20_000  # waiting for an activity: will be needed soon
    queued_commits_max: int = 20_000  # about a second of work; more only waits longer
    actors_max: int = 200_000


class Host:
    def __init__(
        self, *, store: Store, clock: Clock, ids: Ids, partitions: int, limits: Limits, bounds: Bounds | None = None
    ) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self.partitions = partitions
        self.limits = limits
        self.bounds = bounds or Bounds()
        self.pool = Pool(clock)
        self.committer = Committer(store, clock, under_way=self.pool.running)
        self.loader = Loader(store)
        self.watchers = Watchers()
        self.counters = Counters()
        self.stalled: dict[str, int] = {}  # how many workers had come when each was tried last
        self._unstalling: set[str] = set()  # those of them that a timer tries again
        self._held_back: dict[str, None] = {}  # a pause keeps their turns, and they may be unloaded meanwhile
        self.reminders = ReminderLoop(store, clock, fire=self.fire, partition_of=self.partition_of)
        self.activities = ActivityHost(self.pool, clock, self._send)
        self.router: Router  # set by whoever composes the host: it needs the host, too
        self.on_lost: Callable[[int], None] = lambda _: None
        self._epochs: dict[int, int] = {}
        self._actors: dict[str, WorkflowActor] = {}
        self._idle: OrderedDict[str, WorkflowActor] = OrderedDict()
        self._awake: OrderedDict[str, WorkflowActor] = OrderedDict()
        self.is_paused = False
        self.connects = 0  # workers that have come so far
        self.on_worker: Callable[[], None] = lambda: None
        self.pool.on_connect = self._connected

    # -- partitions ------------------------------------------------------------------------------------------------

    def partition_of(self, instance_id: str) -> int:
        return partition_of(instance_id, self.partitions)

    def owns(self, instance_id: str) -> bool:
        return self.partition_of(instance_id) in self._epochs

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(self._epochs)

    @property
    def actors(self) -> int:
        return len(self._actors)

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        """Raises the fences, then serves the partitions: nobody else can write to them from here on. None is served
        when this fails."""
        held = await self.store.acquire(partitions, epoch)
        self.release([partition for partition in held if self._epochs.get(partition, epoch) != epoch])
        for partition in held:
            self._epochs[partition] = epoch
        try:
            await self.reminders.add(held)
        except BaseException:  # whoever asked does not know that they are held here, and would never give them back
            self.release([partition for partition in held if self._epochs.get(partition) == epoch])
            raise
        self.reminders.remove([partition for partition in held if partition not in self._epochs])  # lost meanwhile
        return held

    def release(self, partitions: Sequence[int]) -> None:
        """Forgets partitions. What waited for their instances is told to ask the new owner."""
        gone = set(partitions) & self._epochs.keys()
        for partition in gone:
            del self._epochs[partition]
        self.reminders.remove(tuple(gone))
        self.stalled = {one: tried for one, tried in self.stalled.items() if self.partition_of(one) not in gone}
        self._held_back = dict.fromkeys(one for one in self._held_back if self.partition_of(one) not in gone)
        for actor in [actor for actor in self._actors.values() if actor.place.partition in gone]:
            self._drop(actor)
            actor.abandon(NotOwner(f"partition {actor.place.partition} moved to another host"))

    def lost(self, actor: WorkflowActor) -> None:
        """The store says that another owner holds its partition: nothing of the actor's was written. Should that owner
        be this host under a newer epoch, only the actor goes."""
        partition = actor.place.partition
        if self._actors.get(actor.id) is actor:
            self._drop(actor)
        if self._epochs.get(partition) != actor.place.epoch:
            return
        self.counters.fenced += 1
        _log.warning("lost a partition to a higher epoch", extra={"partition": partition})
        self.release((partition,))
        self.on_lost(partition)

    # -- messages --------------------------------------------------------------------------------------------------

    def post(self, message: Message, reply: Reply) -> None:
        actor = self._actor(message.instance_id)
        if actor is None:
            reply(NotOwner(f"instance {message.instance_id!r}: its partition is not on this host"))
        else:
            actor.post(message, reply)

    def will_tell(self, instance_id: str, *, for_end: bool) -> bool:
        """Whether the instance is awake here and has not come that far: then its watchers hear when it has, and need
        not look into the store. A host that lost the partition unknowingly learns that from the next table, and its
        watchers go on at the new owner."""
        actor = self._actors.get(instance_id)
        instance = None if actor is None else actor.instance
        return instance is not None and not has_come(instance.record.status, for_end=for_end)

    def post_fused(self, fused: Fused, reply: Reply = no_reply) -> None:
        """A step that is refused is lost, its results need not be: they travel alone then."""

        def replied(error: HoldfastError | None) -> None:
            for answer, _ in fused.answers:
                if error is None:
                    self.activities.arrived(answer)
                else:
                    self.activities.bring_home(answer)
            reply(error)

        instance_id = fused.answers[0][0].instance_id
        actor = self._actor(instance_id)
        if actor is None:
            fused.worker.forget(instance_id)
            replied(NotOwner(f"instance {instance_id!r}: not here any more"))
        else:
            actor.post(fused, replied)

    def fire(self, reminder: Reminder) -> None:
        actor = self._actor(reminder.instance_id)
        if actor is not None:
            if reminder.name == keys.WAKE:
                actor.recover()
            else:
                actor.post(reminder, no_reply)

    def _connected(self) -> None:
        """A worker came: what stood still may have been waiting for just that one."""
        self.connects += 1
        self.on_worker()
        for instance_id in sorted(self.stalled):
            self._nudge(instance_id)

    def may_unstall(self, instance_id: str) -> bool:
        """Whether it was not tried here yet, or a worker has come since. That is not the actor's to know: it may be
        unloaded, or lose the turn that was the try with a failing store."""
        return self.connects > self.stalled.get(instance_id, -1)

    def unstall_later(self, instance_id: str, seconds: float) -> None:
        """It has stalled too often to be tried for every worker that comes."""
        if instance_id not in self._unstalling:
            self._unstalling.add(instance_id)
            self.clock.call_later(seconds, lambda: self._unstall(instance_id))

    def _unstall(self, instance_id: str) -> None:
        self._unstalling.discard(instance_id)
        self._nudge(instance_id)

    def _nudge(self, instance_id: str) -> None:
        actor = self._actor(instance_id)
        if actor is not None:
            actor.nudge()

    def check_room(self) -> None:
        """Raises Overloaded when this host has more to do than it can in a second or so."""
        if self.committer.depth > self.bounds.queued_commits_max or len(self._actors) > self.bounds.actors_max:
            raise Overloaded(
                f"this sidecar is busy: {self.committer.depth} commits wait and {len(self._actors)} instances are "
                "awake; try again in a second, or add sidecars"
            )

    def pause(self, *, is_paused: bool) -> None:
        """Without contact to placement no turn may start; one that runs may end, its commit is fenced if need be."""
        self.is_paused = is_paused
        if not is_paused:
            held_back, self._held_back = self._held_back, {}
            for instance_id in held_back:
                self._nudge(instance_id)

    def hold_back(self, instance_id: str) -> None:
        """Its turn has to wait until the pause is over."""
        self._held_back[instance_id] = None

    # -- what actors report ----------------------------------------------------------------------------------------

    def committed(self, actor: WorkflowActor, decision: Decision) -> None:
        commit = decision.commit
        self.counters.starts += commit.expected_version == 0
        for name in commit.reminders_delete:
            self.reminders.forget(commit.instance_id, name)
        for reminder in commit.reminders_put:
            self.reminders.put(reminder)
        if actor.instance is not None and actor.instance.record.status.is_terminal and decision.events:
            self.counters.ends += 1
        if self.stalled and commit.record is not None and commit.record.stall is None:
            self.stalled.pop(commit.instance_id, None)
        if actor.instance is not None and self.watchers.is_met(commit.instance_id, actor.instance.record.status):
            self.watchers.tell(commit.instance_id, view_of(actor))

    def reloaded(self, actor: WorkflowActor) -> None:
        """The actor did not hear what became of a commit, and has looked it up."""
        if actor.id in self.watchers:
            self.watchers.tell(actor.id, None if actor.instance is None else view_of(actor))

    def deleted(self, instance_id: str) -> None:
        self.stalled.pop(instance_id, None)
        self.watchers.tell(instance_id, None)

    def settled(self, actor: WorkflowActor) -> None:
        """The actor has nothing to do. What has ended is unloaded at once, then what waits for nothing in flight."""
        self._idle.pop(actor.id, None)
        self._awake.pop(actor.id, None)
        if actor.instance is None or actor.instance.record.status.is_terminal:
            self._drop(actor)
        elif actor.waits_for_answers:
            self._awake[actor.id] = actor
            self._trim(self._awake, self.bounds.awake_instances_max)
        else:
            self._idle[actor.id] = actor
            self._trim(self._idle, self.bounds.idle_instances_max)

    def _trim(self, shelf: OrderedDict[str, WorkflowActor], bound: int) -> None:
        for _ in range(len(shelf) - bound):
            instance_id, oldest = shelf.popitem(last=False)
            if oldest.is_idle:
                self._actors.pop(instance_id, None)

    def _send(self, message: Message, reply: Reply) -> None:
        self.router.send(message, reply)

    def _drop(self, actor: WorkflowActor) -> None:
        self._actors.pop(actor.id, None)
        self._idle.pop(actor.id, None)
        self._awake.pop(actor.id, None)

    def _actor(self, instance_id: str) -> WorkflowActor | None:
        actor = self._actors.get(instance_id)
        if actor is not None:
            return actor
        partition = self.partition_of(instance_id)
        epoch = self._epochs.get(partition)
        if epoch is None:
            return None
        actor = self._actors[instance_id] = WorkflowActor(self, instance_id, Place(partition, epoch))
        self.counters.loads += 1
        return actor

    # -- life ------------------------------------------------------------------------------------------------------

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Starts the loops in the caller's group."""
        group.create_task(self.committer.run(), name="committer")
        group.create_task(self.loader.run(), name="loader")
        group.create_task(self.reminders.run(), name="reminders")

    async def drain(self, limit: float) -> None:
        """Lets turns that run end, for at most `limit` seconds; then whoever waits is told to come back."""
        self.is_paused = True
        deadline = self.clock.monotonic() + limit
        while any(actor.is_turning for actor in self._actors.values()) and self.clock.monotonic() < deadline:
            await self.clock.sleep(0.01)
        for actor in list(self._actors.values()):
            actor.abandon(Unavailable("this sidecar is shutting down; try again"))
        self._actors.clear()
        self.committer.stop()


def view_of(actor: WorkflowActor) -> View:
    """What a query would show, from memory."""
    instance = actor.instance
    assert instance is not None
    record, history = instance.record, instance.history
    start = history[1] if len(history) > 1 else instance.inbox[0].data if instance.inbox else None
    end = history[-1] if record.status.is_terminal and history else None
    return View(record=record, custom_status=instance.custom_status, start=start, end=end)
