"""Hosts in etcd: join under a lease, take over after a reconnect, serve or not, keep alive, leave.

A host's key hangs on its lease and every write to it is guarded by the revision that was read, so two replicas that
serve the same host at a bad moment cannot undo each other: the later claim wins and the earlier one is told.
"""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from holdfast_kit.clock import Clock
from holdfast_placement.admission import Code, Refused, app_of, check_holder, check_partitions, host_of
from holdfast_placement.etcd import Etcd, deleting, getting, putting, unchanged
from holdfast_placement.etcd_errors import EtcdUnavailable, LeaseLost
from holdfast_placement.etcd_lease import LeaseKeeper
from holdfast_placement.keys import FloorPlace, Keys, MemberPlace, PartitionsPlace, TablePlace
from holdfast_placement.records import BadRecord, Member, decode_member, decode_number, decode_table, encode_member
from holdfast_placement.table import AppKey, Table
from holdfast_proto.etcd import etcd_pb2 as pb
from holdfast_proto.v1 import placement_pb2

_log = logging.getLogger(__name__)
_TRIES = 5  # each try means that somebody else changed the very key between a read and a write


class Superseded(Exception):
    """Another replica, or another stream here, has claimed the host since."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A host's key as this replica last wrote it."""

    member: Member
    lease: int
    mod_revision: int

    @property
    def place(self) -> MemberPlace:
        return MemberPlace(self.member.app, self.member.host.id)


class Members:
    """Every method is a few round trips to etcd and may raise `EtcdUnavailable`."""

    def __init__(
        self, etcd: Etcd, keeper: LeaseKeeper, *, keys: Keys, replica_id: str, lease: timedelta, clock: Clock
    ) -> None:
        self._etcd = etcd
        self._keeper = keeper
        self._keys = keys
        self._replica_id = replica_id
        self._lease = lease
        self._clock = clock

    async def join(self, hello: placement_pb2.Hello, *, serving: bool) -> Registration:
        """Raises `Refused` when the partition count is another one or somebody else holds the id."""
        await self._settle_partitions(hello)
        for _ in range(_TRIES):
            kv = await self._look(MemberPlace(app_of(hello), hello.host_id))
            holder = _holder(hello, kv)
            if holder is None:
                claimed = await self._create(hello, serving, kv.mod_revision if kv else 0)
            else:
                check_holder(hello, holder, self._lease)
                claimed = await self._take_over(replace(holder, serving=serving), kv) if kv else None
            if claimed is not None:
                return claimed
        raise EtcdUnavailable(f"host {hello.host_id}: its key changed {_TRIES} times while it was claimed")

    async def serve(self, old: Registration, *, serving: bool) -> Registration:
        """Raises `Superseded`, or `LeaseLost`."""
        return await self._write(replace(old.member, serving=serving, replica_id=self._replica_id), old)

    async def keep(self, old: Registration, *, within: timedelta) -> None:
        """Raises `LeaseLost` when the host is a member no more."""
        await self._keeper.keep(old.lease, within=within)

    async def leave(self, old: Registration) -> bool:
        """Remove the host; False when it was claimed elsewhere since, or had gone already."""
        key = self._keys.of(old.place)
        done = await self._etcd.txn([unchanged(key, old.mod_revision)], [deleting(key)], [getting(key)])
        gone = done.succeeded or not done.responses[0].response_range.kvs
        if gone:
            await self._release(old.lease)
        return done.succeeded

    async def heed_fence(self, app: AppKey, partition: int, *, epoch: int, fence: int) -> bool:
        """A host was refused by the store. False when it was only late, or the epochs are above the fence already."""
        table = _table(app, _only(await self._etcd.range(self._keys.of(TablePlace(app)))))
        now = table.rows[partition].epoch if table and partition < table.partitions else 0
        if now > epoch > 0 or now >= fence:
            return False
        return await self._raise(app, fence)

    async def raise_floor(self, app: AppKey, version: int) -> bool:
        """Somebody has seen this version of the app's table. False when etcd has it, or goes above it already."""
        table = _table(app, _only(await self._etcd.range(self._keys.of(TablePlace(app)))))
        return (table.version if table else 0) < version and await self._raise(app, version)

    async def _raise(self, app: AppKey, above: int) -> bool:
        floor_key = self._keys.of(FloorPlace(app))
        for _ in range(_TRIES):
            floor = _only(await self._etcd.range(floor_key))
            if _number(floor) >= above:
                return False
            mod_revision = floor.mod_revision if floor else 0
            put = putting(floor_key, str(above).encode())
            if (await self._etcd.txn([unchanged(floor_key, mod_revision)], [put])).succeeded:
                _log.warning("epochs raised, etcd was behind", extra={"app": str(app), "above": above})
                return True
        raise EtcdUnavailable(f"floor of {app}: it changed {_TRIES} times while it was raised")

    async def _settle_partitions(self, hello: placement_pb2.Hello) -> None:
        """The first host of a namespace writes the count; all others must have the same."""
        key = self._keys.of(PartitionsPlace(hello.namespace))
        put = putting(key, str(hello.partitions).encode())
        done = await self._etcd.txn([unchanged(key, 0)], [put], [getting(key)])
        if done.succeeded:
            _log.info("partition count fixed", extra={"namespace": hello.namespace, "partitions": hello.partitions})
            return
        kv = done.responses[0].response_range.kvs[0]
        try:
            known = decode_number(kv.value, f"partition count of namespace {hello.namespace}")
        except BadRecord as error:
            raise Refused(
                Code.PARTITION_COUNT, f"{error} under etcd key {key.decode()}; put it right by hand"
            ) from error
        check_partitions(hello, known)

    async def _create(self, hello: placement_pb2.Hello, serving: bool, mod_revision: int) -> Registration | None:
        lease = await self._etcd.grant(self._lease)
        joined_at_ms = self._clock.now_ns() // 1_000_000
        member = Member(app_of(hello), host_of(hello), serving, self._replica_id, joined_at_ms)
        try:
            return await self._write(member, Registration(member, lease, mod_revision))
        except Superseded:
            await self._release(lease)
            return None
        except LeaseLost:
            return None

    async def _take_over(self, holder: Member, kv: pb.KeyValue) -> Registration | None:
        """The same process came back: go on with its lease. None when that has just run out."""
        try:
            await self._keeper.keep(kv.lease, within=self._lease)
            member = replace(holder, replica_id=self._replica_id)
            return await self._write(member, Registration(holder, kv.lease, kv.mod_revision))
        except (LeaseLost, Superseded):
            return None

    async def _write(self, member: Member, old: Registration) -> Registration:
        key, value = self._keys.of(old.place), encode_member(member)
        done = await self._etcd.txn(
            [unchanged(key, old.mod_revision)], [putting(key, value, lease=old.lease)], [getting(key)]
        )
        if done.succeeded:
            return Registration(member, old.lease, done.header.revision)
        found = _only(done.responses[0].response_range)
        if found is not None and (found.value, found.lease) == (value, old.lease):
            return Registration(member, old.lease, found.mod_revision)  # an earlier try of this call got through
        raise Superseded(f"host {member.host.id} of {member.app}: its key was written by another replica since")

    async def _look(self, place: MemberPlace) -> pb.KeyValue | None:
        return _only(await self._etcd.range(self._keys.of(place)))

    async def _release(self, lease: int) -> None:
        try:
            await self._etcd.revoke(lease)
        except LeaseLost:
            _log.debug("lease had ended already", extra={"lease": lease})


def _holder(hello: placement_pb2.Hello, kv: pb.KeyValue | None) -> Member | None:
    """None where nobody lives: no key, a key without a lease, or one that holds what we cannot have written."""
    if kv is None or not kv.lease:
        return None
    try:
        return decode_member(kv.value, app_of(hello), hello.host_id)
    except BadRecord:
        return None


def _table(app: AppKey, kv: pb.KeyValue | None) -> Table | None:
    """None also for one that cannot be read; the leader will write over it."""
    if kv is None:
        return None
    try:
        return decode_table(kv.value, app)
    except BadRecord:
        return None


def _number(kv: pb.KeyValue | None) -> int:
    return int(kv.value) if kv is not None and kv.value.isdigit() else 0


def _only(answer: pb.RangeResponse) -> pb.KeyValue | None:
    return answer.kvs[0] if answer.kvs else None
