"""The seam to every store: few verbs, each for many at once.

A store keeps, per partition, a fence (the highest epoch that acquired it) and the rows of its instances. It never
interprets events. Every backend passes `tests/conformance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from holdfast_sidecar.core.state import Commit, Filter, Page, Reminder, Stored, View


class Outcome(Enum):
    """What became of one commit. Anything but APPLIED wrote nothing of it."""

    APPLIED = auto()
    FENCED = auto()  # another owner holds the partition under a higher epoch
    CONFLICT = auto()  # the stored version is another than expected (or the instance exists, or is gone)


class Due(Struct, frozen=True):
    """A page of reminders in order of (due_at, instance_id, name); `cursor` is empty on the last."""

    reminders: tuple[Reminder, ...] = ()
    cursor: str = ""


class StoreError(Exception):
    """The store did not answer, or answered with an error of its own. What was asked may or may not have happened."""


class StoreFull(StoreError):
    """No room: nothing was written. A person must make room."""


class StoreMismatch(Exception):
    """The data belongs to another layout version, namespace or partition count; nothing was touched."""


class Store(Protocol):
    async def open(self, *, namespace: str, partitions: int) -> None:
        """Connects and prepares. The first open writes namespace, partition count and layout version; later ones
        must agree, else StoreMismatch."""
        ...

    async def close(self) -> None:
        """Gives back what open took; harmless when open failed."""
        ...

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        """Raises the fences to `epoch`. Gives back the partitions now held: those whose fence was not higher before."""
        ...

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        """Applies each by itself, in order, durably, with one round trip where the backend can. One that is refused
        does not touch the others. Raises StoreError when it cannot tell: then any of them may have been applied.
        Within one commit rows are cleared first, then deleted, then put: what is deleted and put is there."""
        ...

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        """Everything of each (partition, id), as one consistent snapshot per instance."""
        ...

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        """What queries show of each (partition, id); start and end rows only with `payloads`."""
        ...

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        """History rows from `first`, at most `limit` (0: all)."""
        ...

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        """Reminders of these partitions with after < due_at <= until (after = -1 takes those at 0 too)."""
        ...

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        """Instances of the whole namespace; cost follows the page, not the number of instances. A page may be shorter
        than `limit` while its cursor says that more may follow. A cursor that no page gave raises InvalidRequest."""
        ...
