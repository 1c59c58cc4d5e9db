"""What reaches a mailbox, and what those are told who wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from holdfast_proto.history import HistoryEvent
from holdfast_sidecar.actors.ports import Reply, Worker
from holdfast_sidecar.core.errors import HoldfastError, StorageFull, Unavailable
from holdfast_sidecar.core.messages import ActivityAnswer, Message
from holdfast_sidecar.core.state import Reminder
from holdfast_sidecar.core.turn import TurnResult
from holdfast_sidecar.stores.contract import Outcome, StoreError, StoreFull


class Fused(Struct, frozen=True):
    """A worker's results of activities together with the turn that they led to. All of one instance."""

    answers: tuple[tuple[ActivityAnswer, HistoryEvent], ...]
    turn_at: int
    based_on: int
    result: TurnResult
    worker: Worker


Incoming: TypeAlias = Message | Reminder | Fused
Waiting: TypeAlias = tuple[Incoming | None, Reply]  # None: a commit that no message asked for


def tell_all(waiting: Sequence[Waiting], error: HoldfastError | None) -> None:
    for _, reply in waiting:
        reply(error)


def told(outcome: Outcome | StoreError, instance_id: str) -> HoldfastError:
    """A failure of the store, in the words for a sender."""
    if isinstance(outcome, StoreFull):
        return StorageFull(f"instance {instance_id!r}: the store is full: {outcome}; make room and try again")
    return Unavailable(f"instance {instance_id!r}: the store did not confirm in time ({outcome}); try again")
