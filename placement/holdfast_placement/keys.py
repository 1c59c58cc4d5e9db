"""Where things lie in etcd. Pure.

    <prefix>/leader                                   Leader, under the leader's lease
    <prefix>/ns/<namespace>/partitions                a decimal number, written once
    <prefix>/ns/<namespace>/app/<app>/host/<host>     Member, under the host's lease
    <prefix>/ns/<namespace>/app/<app>/table           Table, written by the leader
    <prefix>/ns/<namespace>/app/<app>/floor           a decimal number that every epoch must be above

Anything else below the prefix is foreign.
"""

import re
from dataclasses import dataclass

from holdfast_placement.table import AppKey

ID_SHAPE = "1 to 128 letters, digits, '.', '_' or '-'"
_ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}")


def is_id(text: str) -> bool:
    """Whether the text can be a namespace, an app id or a host id: `ID_SHAPE`, and neither '.' nor '..'."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class LeaderPlace:
    pass


@dataclass(frozen=True, slots=True)
class PartitionsPlace:
    namespace: str


@dataclass(frozen=True, slots=True)
class MemberPlace:
    app: AppKey
    host_id: str


@dataclass(frozen=True, slots=True)
class TablePlace:
    app: AppKey


@dataclass(frozen=True, slots=True)
class FloorPlace:
    app: AppKey


Place = LeaderPlace | PartitionsPlace | MemberPlace | TablePlace | FloorPlace


class Keys:
    """Names for one prefix; `of` and `parse` are each other's inverse."""

    def __init__(self, prefix: str = "/holdfast/v1") -> None:
        self._prefix = prefix.rstrip("/")

    @property
    def root(self) -> bytes:
        """What all keys start with."""
        return f"{self._prefix}/".encode()

    def of(self, place: Place) -> bytes:
        return f"{self._prefix}/{_path(place)}".encode()

    def parse(self, key: bytes) -> Place | None:
        """None for a foreign key."""
        if not key.startswith(self.root):
            return None
        parts = key[len(self.root) :].decode(errors="replace").split("/")
        return _place(parts)


def _path(place: Place) -> str:
    match place:
        case LeaderPlace():
            return "leader"
        case PartitionsPlace(namespace):
            return f"ns/{namespace}/partitions"
        case MemberPlace(app, host_id):
            return f"ns/{app.namespace}/app/{app.app_id}/host/{host_id}"
        case TablePlace(app):
            return f"ns/{app.namespace}/app/{app.app_id}/table"
        case FloorPlace(app):
            return f"ns/{app.namespace}/app/{app.app_id}/floor"


def _place(parts: list[str]) -> Place | None:
    match parts:
        case ["leader"]:
            return LeaderPlace()
        case ["ns", namespace, "partitions"] if is_id(namespace):
            return PartitionsPlace(namespace)
        case ["ns", namespace, "app", app_id, "host", host_id] if all(map(is_id, (namespace, app_id, host_id))):
            return MemberPlace(AppKey(namespace, app_id), host_id)
        case ["ns", namespace, "app", app_id, "table"] if is_id(namespace) and is_id(app_id):
            return TablePlace(AppKey(namespace, app_id))
        case ["ns", namespace, "app", app_id, "floor"] if is_id(namespace) and is_id(app_id):
            return FloorPlace(AppKey(namespace, app_id))
        case _:
            return None
