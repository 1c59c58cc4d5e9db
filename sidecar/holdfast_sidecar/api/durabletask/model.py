"""What the handlers and the dialects hand to each other: no bytes of any protocol, except where they are opaque."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from holdfast_proto.actions import Action
from holdfast_proto.codec import Kind
from holdfast_proto.history import Failure, Trace


class Dialect(StrEnum):
    """Which family of clients numbers the fields. The values are stored and go into tokens; never change them."""

    MICROSOFT = "m"
    DAPR = "d"
    UNKNOWN = "u"  # only the subset that all agree on is sent


class TurnCall(Struct, frozen=True, kw_only=True):
    """One turn for a worker. `new` are stored rows, `past` is encoded (`frames.past_events`), both only of those kinds
    that `Words.kinds` gives.

    With `cached`, the worker holds that many past events already, and `past` are those after them. Only where
    `Stream.caches_history`.
    """

    instance_id: str
    execution_id: str
    past: bytes | bytearray
    new: Sequence[bytes]
    trace: bytes = b""  # TurnAnswer.trace of an earlier turn
    cached: int = 0


class ActivityCall(Struct, frozen=True, kw_only=True):
    """One activity for a worker."""

    instance_id: str
    execution_id: str
    seq: int
    name: str
    version: str | None = None
    input: str | None = None
    trace: Trace | None = None
    tags: dict[str, str] = {}
    task_execution_id: str = ""


class TurnAnswer(Struct, frozen=True, kw_only=True):
    """A worker's answer to a turn.

    With `is_partial`, the actions of the following chunks up to the last belong to it too. With `requires_history` the
    worker did nothing and wants the turn again with its whole history.
    """

    instance_id: str
    actions: tuple[Action, ...]
    token: str
    custom_status: str | None = None
    patches: tuple[str, ...] = ()
    version_name: str | None = None
    trace: bytes = b""
    is_partial: bool = False
    chunk_index: int | None = None
    events_processed: int | None = None
    requires_history: bool = False


class ActivityAnswer(Struct, frozen=True, kw_only=True):
    """A worker's answer to an activity: it failed when `failure` is there."""

    instance_id: str
    seq: int
    token: str
    result: str | None = None
    failure: Failure | None = None


class Words(Protocol):
    """What each dialect's module can say and understand."""

    def kinds(self, new: Sequence[bytes]) -> frozenset[Kind]:
        """The kinds of rows, past and new, that a turn with these new ones carries; its worker counts only them."""
        ...

    def turn_item(self, turn: TurnCall, token: str) -> bytes:
        """A whole frame for the work item stream."""
        ...

    def activity_item(self, call: ActivityCall, token: str) -> bytes:
        """A whole frame for the work item stream."""
        ...

    def read_turn_answer(self, data: bytes) -> TurnAnswer:
        """Raises BadRequest."""
        ...

    def read_activity_answer(self, data: bytes) -> ActivityAnswer:
        """Raises BadRequest."""
        ...

    def history_event(self, row: bytes) -> bytes | None:
        """A stored row as a client asking for history reads it; None when the dialect has no word for it."""
        ...

    def history(self, rows: Sequence[bytes]) -> bytes:
        """A whole answer, or chunk, of a history call."""
        ...
