"""The table: which host owns which partition, and since when. Pure; the sidecar uses it too."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from holdfast_proto.v1 import placement_pb2 as pb


class BadTable(ValueError):
    """A message that is no table, or a difference that belongs to another one."""


class AppKey(NamedTuple):
    """Whose table it is."""

    namespace: str
    app_id: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.app_id}"


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """A sidecar. `incarnation` is new for every process, so a restarted host is another owner under the same id.

    A guest owns nothing: it has no worker, or is about to leave. The others talk with it all the same.
    """

    id: str
    address: str
    incarnation: str
    capabilities: tuple[str, ...] = ()
    is_guest: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """`host` owns the partition since table version `epoch`; None is nobody."""

    host: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Table:
    """Invariants: `hosts` sorted by id, each once; `len(rows) == partitions`; each `row.epoch <= version`."""

    app: AppKey
    version: int
    partitions: int
    hosts: tuple[Host, ...]
    rows: tuple[Row, ...]
    _by_id: Mapping[str, Host] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {host.id: host for host in self.hosts})
        if problem := _problem(self):
            raise BadTable(f"table {self.app} version {self.version}: {problem}")

    def owner(self, partition: int) -> Host | None:
        """One index and one look-up."""
        host_id = self.rows[partition].host
        return None if host_id is None else self._by_id[host_id]

    def host(self, host_id: str) -> Host | None:
        return self._by_id.get(host_id)

    def owned(self, host_id: str) -> dict[int, int]:
        """Partition -> epoch of everything the host owns."""
        return {partition: row.epoch for partition, row in enumerate(self.rows) if row.host == host_id}

    def loads(self) -> dict[str, int]:
        """Host id -> number of partitions, also for hosts with none."""
        loads = {host.id: 0 for host in self.hosts}
        for row in self.rows:
            if row.host is not None:
                loads[row.host] += 1
        return loads


def serving(hosts: Iterable[Host]) -> set[str]:
    """Ids of those that take partitions."""
    return {host.id for host in hosts if not host.is_guest}


def partition_of(instance_id: str, partitions: int) -> int:
    """The same in every process and release: BLAKE2b with 8 bytes of digest, read big-endian, modulo `partitions`."""
    digest = hashlib.blake2b(instance_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % partitions


def empty(app: AppKey, partitions: int) -> Table:
    """Nobody owns anything; what comes before the first version."""
    return Table(app, 0, partitions, (), (Row(None, 0),) * partitions)


def moved(table: Table, hosts: Iterable[Host], *, owners: Sequence[str | None], version: int, floor: int = 0) -> Table:
    """The next version. A partition whose owner changes gets `version` as its epoch; an unmoved one keeps its fence.

    A host with another incarnation is another owner. Rows whose epoch is not above `floor` are fenced anew in place.
    """
    if version <= max(table.version, floor):
        raise BadTable(f"table {table.app}: expected a version above {max(table.version, floor)}, found {version}")
    ordered = tuple(sorted(hosts))
    lives = {host.id: host.incarnation for host in table.hosts}
    same = {None, *(host.id for host in ordered if lives.get(host.id) == host.incarnation)}
    rows = tuple(
        old if old.host == new and new in same and (old.epoch > floor or new is None) else Row(new, version)
        for old, new in zip(table.rows, owners, strict=True)
    )
    return Table(table.app, version, table.partitions, ordered, rows)


def moves(old: Table, new: Table) -> dict[tuple[str | None, str | None], int]:
    """How many partitions went from whom to whom; a new fence without a new host counts as from and to the same."""
    counts: dict[tuple[str | None, str | None], int] = {}
    for before, after in zip(old.rows, new.rows, strict=True):
        if before != after:
            counts[before.host, after.host] = counts.get((before.host, after.host), 0) + 1
    return counts


def encode(table: Table) -> pb.Table:
    message = pb.Table(
        namespace=table.app.namespace, app_id=table.app.app_id, version=table.version, partitions=table.partitions
    )
    message.hosts.extend(encode_host(host) for host in table.hosts)
    numbers = _numbers(table)
    message.owners.extend(numbers[row.host] for row in table.rows)
    message.epochs.extend(row.epoch for row in table.rows)
    return message


def decode(message: pb.Table) -> Table:
    """Raises `BadTable` for what `encode` cannot have written."""
    app = AppKey(message.namespace, message.app_id)
    hosts = tuple(decode_host(host) for host in message.hosts)
    if len(message.owners) != len(message.epochs):
        raise BadTable(f"table {app}: {len(message.owners)} owners but {len(message.epochs)} epochs")
    rows = tuple(_row(app, hosts, owner, epoch) for owner, epoch in zip(message.owners, message.epochs, strict=True))
    return Table(app, message.version, message.partitions, hosts, rows)


def diff(old: Table, new: Table) -> pb.Diff:
    """What turns `old` into `new`; both of one app, `new` later."""
    message = pb.Diff(namespace=new.app.namespace, app_id=new.app.app_id, from_version=old.version, version=new.version)
    known = set(old.hosts)
    message.joined.extend(encode_host(host) for host in new.hosts if host not in known)
    message.left.extend(host.id for host in old.hosts if new.host(host.id) is None)
    numbers = _numbers(new)
    changed = [partition for partition, row in enumerate(new.rows) if row != old.rows[partition]]
    message.changed.extend(changed)
    message.owners.extend(numbers[new.rows[partition].host] for partition in changed)
    message.epochs.extend(new.rows[partition].epoch for partition in changed)
    return message


def patched(table: Table, message: pb.Diff) -> Table:
    """Raises `BadTable` when the difference does not start at this very table; connecting again brings a whole one."""
    app = AppKey(message.namespace, message.app_id)
    if (app, message.from_version) != (table.app, table.version):
        raise BadTable(
            f"difference of {app} from version {message.from_version}: here is {table.app} version {table.version}"
        )
    hosts = _patched_hosts(table, message)
    rows = list(table.rows)
    for partition, owner, epoch in zip(message.changed, message.owners, message.epochs, strict=True):
        if partition >= table.partitions:
            raise BadTable(f"difference of {app}: partition {partition}, the last one is {table.partitions - 1}")
        rows[partition] = _row(app, hosts, owner, epoch)
    return Table(app, message.version, table.partitions, hosts, tuple(rows))


def encode_host(host: Host) -> pb.Host:
    return pb.Host(
        id=host.id,
        address=host.address,
        incarnation=host.incarnation,
        capabilities=list(host.capabilities),
        is_guest=host.is_guest,
    )


def decode_host(message: pb.Host) -> Host:
    return Host(message.id, message.address, message.incarnation, tuple(message.capabilities), message.is_guest)


def _patched_hosts(table: Table, message: pb.Diff) -> tuple[Host, ...]:
    by_id = {host.id: host for host in table.hosts}
    for host_id in message.left:
        by_id.pop(host_id, None)
    by_id.update({host.id: decode_host(host) for host in message.joined})
    return tuple(sorted(by_id.values()))


def _numbers(table: Table) -> dict[str | None, int]:
    """Owner numbers on the wire: 0 is nobody, n is the n-th host."""
    numbers: dict[str | None, int] = {host.id: number for number, host in enumerate(table.hosts, start=1)}
    numbers[None] = 0
    return numbers


def _row(app: AppKey, hosts: Sequence[Host], owner: int, epoch: int) -> Row:
    if owner > len(hosts):
        raise BadTable(f"table {app}: owner {owner} of {len(hosts)} hosts")
    return Row(hosts[owner - 1].id if owner else None, epoch)


def _problem(table: Table) -> str | None:
    ids = [host.id for host in table.hosts]
    known = {None, *serving(table.hosts)}
    if table.partitions < 1:
        return f"expected at least 1 partition, found {table.partitions}"
    if len(table.rows) != table.partitions:
        return f"expected {table.partitions} rows, found {len(table.rows)}"
    if any(left >= right for left, right in pairwise(ids)):
        return "expected hosts sorted by id, each once"
    if any(row.host not in known or row.epoch > table.version for row in table.rows):
        return "a row names an unknown host, a guest, or an epoch above the version"
    return None
