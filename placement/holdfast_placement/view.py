"""What a replica knows of etcd: one picture, brought up to date key by key. Pure; one owner, `Mirror`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, assert_never

from holdfast_placement.keys import FloorPlace, Keys, LeaderPlace, MemberPlace, PartitionsPlace, Place, TablePlace
from holdfast_placement.records import (
    BadRecord,
    Leader,
    Member,
    decode_leader,
    decode_member,
    decode_number,
    decode_table,
)
from holdfast_placement.table import AppKey, Table

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value with what a transaction compares and the lease it hangs on (0: none)."""

    value: T
    mod_revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as etcd reports it; `value` None: deleted."""

    key: bytes
    value: bytes | None
    mod_revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Foreign:
    """A key below our prefix that is not ours, or holds what we cannot have written."""

    key: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch touched, and what in it was not ours."""

    places: frozenset[Place]
    foreign: tuple[Foreign, ...]


@dataclass(slots=True)
class View:
    """`versions` holds the highest version ever seen of each table; unlike the rest it only grows.

    `unreadable` holds the revisions of our keys with foreign values, so that they can be written over.
    """

    keys: Keys
    revision: int = 0
    leader: Stored[Leader] | None = None
    partitions: dict[str, int] = field(default_factory=dict[str, int])
    members: dict[AppKey, dict[str, Stored[Member]]] = field(default_factory=dict[AppKey, dict[str, Stored[Member]]])
    tables: dict[AppKey, Stored[Table]] = field(default_factory=dict[AppKey, Stored[Table]])
    floors: dict[AppKey, int] = field(default_factory=dict[AppKey, int])
    versions: dict[AppKey, int] = field(default_factory=dict[AppKey, int])
    unreadable: dict[Place, int] = field(default_factory=dict[Place, int])

    def member(self, app: AppKey, host_id: str) -> Stored[Member] | None:
        return self.members.get(app, {}).get(host_id)

    def members_of(self, app: AppKey) -> Mapping[str, Stored[Member]]:
        return self.members.get(app, {})

    def apps(self) -> set[AppKey]:
        return self.members.keys() | self.tables.keys()

    def restart(self, entries: Iterable[Entry], revision: int) -> Applied:
        """Forget everything and take the whole listing instead; what is no longer there was touched too."""
        before = self._places()
        self.leader = None
        for known in (self.partitions, self.members, self.tables, self.floors, self.unreadable):
            known.clear()
        applied = self.apply(entries, revision)
        return Applied(applied.places | before, applied.foreign)

    def apply(self, entries: Iterable[Entry], revision: int) -> Applied:
        """Take changes in order; what is not ours is handed back and otherwise ignored."""
        self.revision = revision
        places, foreign = set[Place](), list[Foreign]()
        for entry in entries:
            place = self.keys.parse(entry.key)
            if place is not None:
                places.add(place)
            problem = Foreign(entry.key, "no key of this service") if place is None else self._apply_one(place, entry)
            if problem is not None:
                foreign.append(problem)
        return Applied(frozenset(places), tuple(foreign))

    def _places(self) -> frozenset[Place]:
        members = {MemberPlace(app, host_id) for app, hosts in self.members.items() for host_id in hosts}
        tables = {TablePlace(app) for app in self.tables} | {FloorPlace(app) for app in self.floors}
        counts = {PartitionsPlace(namespace) for namespace in self.partitions}
        return frozenset({LeaderPlace(), *members, *tables, *counts})

    def _apply_one(self, place: Place, entry: Entry) -> Foreign | None:
        self.unreadable.pop(place, None)
        if entry.value is None:
            self._remove(place)
            return None
        try:
            self._put(place, entry.value, entry)
        except BadRecord as error:
            self._remove(place)
            self.unreadable[place] = entry.mod_revision
            return Foreign(entry.key, str(error))
        return None

    def _put(self, place: Place, value: bytes, entry: Entry) -> None:
        match place:
            case LeaderPlace():
                self.leader = Stored(decode_leader(value), entry.mod_revision, entry.lease)
            case PartitionsPlace(namespace):
                self.partitions[namespace] = decode_number(value, f"partition count of {namespace}")
            case MemberPlace(app, host_id):
                member = Stored(decode_member(value, app, host_id), entry.mod_revision, entry.lease)
                self.members.setdefault(app, {})[host_id] = member
            case TablePlace(app):
                table = decode_table(value, app)
                self.tables[app] = Stored(table, entry.mod_revision)
                self.versions[app] = max(table.version, self.versions.get(app, 0))
            case FloorPlace(app):
                self.floors[app] = decode_number(value, f"floor of {app}")
            case _:
                assert_never(place)

    def _remove(self, place: Place) -> None:
        match place:
            case LeaderPlace():
                self.leader = None
            case PartitionsPlace(namespace):
                self.partitions.pop(namespace, None)
            case MemberPlace(app, host_id):
                hosts = self.members.get(app, {})
                hosts.pop(host_id, None)
                if not hosts:
                    self.members.pop(app, None)
            case TablePlace(app):
                self.tables.pop(app, None)
            case FloorPlace(app):
                self.floors.pop(app, None)
            case _:
                assert_never(place)
