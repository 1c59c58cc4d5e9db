"""One replica writes the tables. Which one is settled in etcd, and whoever leaves work undone is replaced.

    follower --no leader, or work overdue--> campaigning --won--> leader --lease lost, or written off--> follower

Every table is written in a transaction that asks whether the leader's key is still the one it won with, so two that
think they lead cannot both write. A dead leader is not waited for until its lease ends: every replica can see from
its own view that a table is due, and takes the lead when nobody has written it for a while.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_placement.etcd import Etcd, deleting, getting, putting, unchanged
from holdfast_placement.etcd_errors import EtcdError, EtcdUnavailable, LeaseLost
from holdfast_placement.etcd_lease import LeaseKeeper
from holdfast_placement.health import Once
from holdfast_placement.keys import FloorPlace, LeaderPlace, MemberPlace, PartitionsPlace, Place, TablePlace
from holdfast_placement.members import Members
from holdfast_placement.mirror import Mirror
from holdfast_placement.plan import Situation, next_table, situation
from holdfast_placement.records import Leader, encode_leader, encode_table
from holdfast_placement.stats import Stats
from holdfast_placement.table import AppKey, Table
from holdfast_proto.etcd import etcd_pb2 as pb

_log = logging.getLogger(__name__)
_ROUND_S = 0.5  # how often it goes round when nothing happens
_IMPATIENT_ROUND_S = 0.1  # and while another replica should be writing a table
_PATIENCE_PER_HOST_S = 0.003  # a table of a thousand hosts takes the leader a third of a second to compute


@dataclass(frozen=True, slots=True)
class LeaderRules:
    """`coalesce`: changes this close together make one table. `patience`: how long due work may lie around."""

    lease: timedelta
    coalesce: timedelta
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Term:
    """A leadership: the revision at which it was won, and the lease it hangs on."""

    revision: int
    lease: int


class Leadership:
    """`run` until cancelled. One owner of everything in here; listeners only leave notes."""

    def __init__(
        self,
        etcd: Etcd,
        mirror: Mirror,
        members: Members,
        keeper: LeaseKeeper,
        *,
        replica_id: str,
        http_address: str,
        rules: LeaderRules,
        clock: Clock,
        rng: random.Random,
        stats: Stats,
        beat: Callable[[], None],
    ) -> None:
        self._etcd = etcd
        self._mirror = mirror
        self._view = mirror.view
        self._members = members
        self._keeper = keeper
        self._replica_id = replica_id
        self._http_address = http_address
        self._rules = rules
        self._clock = clock
        self._rng = rng
        self._stats = stats
        self._beat = beat
        self._backoff = Backoff(rng, base=timedelta(milliseconds=50), cap=timedelta(seconds=1))
        self._once = Once(clock)
        self._key = self._view.keys.of(LeaderPlace())
        self._term: Term | None = None
        self._noted: set[AppKey] = set()
        self._due_since: dict[AppKey, float] = {}
        self._written: dict[AppKey, int] = {}
        self._progress_at = clock.monotonic()
        self._wake = asyncio.Event()
        mirror.listen(self._note)

    @property
    def is_leader(self) -> bool:
        return self._term is not None

    async def run(self) -> None:
        await self._mirror.loaded()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_lease())
            while True:
                await self._pause()
                self._beat()
                try:
                    await self.run_once()
                    self._backoff.reset()
                except EtcdError as error:
                    self._report(error)
                    await self._clock.sleep(self._backoff.next())

    async def run_once(self) -> None:
        """Look at what changed, lead if nobody does, write what is due."""
        self._check_term()
        due = await self._due()
        if self._term is None and (self._view.leader is None or self._is_overdue(due)):
            await self._campaign()
        if self._term is not None:
            for now in due:
                await self._write(now)

    async def resign(self) -> None:
        """Let another one lead at once."""
        if self._term is None:
            return
        term, self._term = self._term, None
        await self._etcd.txn([unchanged(self._key, term.revision)], [deleting(self._key)])
        _log.info("leadership resigned", extra={"replica_id": self._replica_id})

    def _note(self, places: frozenset[Place]) -> None:
        for place in places:
            match place:
                case MemberPlace(app) | FloorPlace(app):
                    self._noted.add(app)
                case TablePlace(app):
                    self._noted.add(app)
                    self._progress_at = self._clock.monotonic()
                case PartitionsPlace(namespace):
                    self._noted.update(app for app in self._view.apps() if app.namespace == namespace)
                case LeaderPlace():
                    pass
        self._wake.set()

    async def _pause(self) -> None:
        """Until something changed, or a round later. What follows closely is waited for and comes along."""
        is_waiting = bool(self._due_since) and self._term is None
        try:
            async with asyncio.timeout(_IMPATIENT_ROUND_S if is_waiting else _ROUND_S):
                await self._wake.wait()
        except TimeoutError:
            return
        await self._clock.sleep(self._rules.coalesce.total_seconds())
        self._wake.clear()

    def _check_term(self) -> None:
        leader, term = self._view.leader, self._term
        if term is None or self._view.revision < term.revision:
            return
        if leader is None or leader.mod_revision != term.revision:
            self._step_down("another replica leads, or the key was deleted")

    async def _due(self) -> list[Situation]:
        """What no longer fits, of all that changed since last time or was due then."""
        candidates, self._noted = self._noted | self._due_since.keys(), set()
        found = list[Situation]()
        for app in sorted(candidates):
            now = situation(self._view, app)
            if now is not None and now.is_behind:
                await self._raise_floor(now)
            if now is None or not now.is_due:
                self._due_since.pop(app, None)
            else:
                self._due_since.setdefault(app, self._clock.monotonic())
                found.append(now)
        return found

    async def _raise_floor(self, now: Situation) -> None:
        """Somebody has seen a later table than etcd has now: nothing that follows may repeat its epochs."""
        try:
            await self._members.raise_floor(now.app, now.version_seen)
        except EtcdError:
            self._noted.add(now.app)
            raise

    def _is_overdue(self, due: list[Situation]) -> bool:
        """Whether the leader has done nothing for too long although there is something to do."""
        if not due:
            return False
        now = self._clock.monotonic()
        since = max(self._progress_at, min(self._due_since[each.app] for each in due))
        hosts = max(len(each.hosts) for each in due)
        patience = self._rules.patience.total_seconds() + hosts * _PATIENCE_PER_HOST_S
        return now - since > patience * self._rng.uniform(1.0, 1.3)

    async def _campaign(self) -> None:
        leader = self._view.leader
        lease = await self._etcd.grant(self._rules.lease)
        record = Leader(self._replica_id, self._http_address, self._clock.now_ns() // 1_000_000)
        put = putting(self._key, encode_leader(record), lease=lease)
        done = await self._etcd.txn(
            [unchanged(self._key, leader.mod_revision if leader else 0)], [put], [getting(self._key)]
        )
        kvs = () if done.succeeded else done.responses[0].response_range.kvs
        if done.succeeded:
            self._lead(Term(done.header.revision, lease), replaced=leader.value.replica_id if leader else None)
        elif kvs and kvs[0].lease == lease:
            self._lead(Term(kvs[0].mod_revision, lease), replaced=None)  # an earlier try of this call got through
        else:
            await self._etcd.revoke(lease)

    def _lead(self, term: Term, *, replaced: str | None) -> None:
        self._term = term
        self._stats.elections += 1
        self._progress_at = self._clock.monotonic()
        _log.info(
            "leadership won", extra={"replica_id": self._replica_id, "replaced": replaced, "revision": term.revision}
        )

    async def _write(self, now: Situation) -> None:
        term = self._term
        if term is None or self._view.revision < self._written.get(now.app, 0):
            return  # our last table of this app has not come back yet
        started = self._clock.monotonic()
        table = await asyncio.to_thread(next_table, now)
        self._stats.computed(self._clock.monotonic() - started)
        key = self._view.keys.of(TablePlace(now.app))
        done = await self._etcd.txn(
            [unchanged(self._key, term.revision), unchanged(key, now.table_revision)],
            [putting(key, encode_table(table))],
            [getting(self._key)],
        )
        if done.succeeded:
            self._wrote(now, table, done.header.revision)
        elif not _is_ours(done.responses[0].response_range.kvs, term):
            self._step_down("a write was refused, another replica leads")

    def _wrote(self, now: Situation, table: Table, revision: int) -> None:
        self._written[now.app] = revision
        self._due_since.pop(now.app, None)
        self._stats.tables_written += 1
        _log.info(
            "table written",
            extra={"app": str(now.app), "table_version": table.version, "hosts": len(table.hosts)},
        )

    def _step_down(self, reason: str) -> None:
        self._term = None
        _log.warning("leadership lost", extra={"replica_id": self._replica_id, "reason": reason})

    async def _keep_lease(self) -> None:
        every = self._rules.lease / 3
        while True:
            await self._clock.sleep(every.total_seconds())
            term = self._term
            if term is None:
                continue
            try:
                await self._keeper.keep(term.lease, within=every)
            except LeaseLost as error:
                if self._term == term:
                    self._step_down(str(error))
                    self._wake.set()
            except EtcdUnavailable as error:
                self._report(error)

    def _report(self, error: EtcdError) -> None:
        if self._once.is_new("etcd", type(error)):
            _log.warning("leadership waits for etcd", extra={"reason": str(error)})


def _is_ours(kvs: Sequence[pb.KeyValue], term: Term) -> bool:
    return bool(kvs) and kvs[0].mod_revision == term.revision
