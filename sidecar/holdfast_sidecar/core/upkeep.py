"""Small commits between turns: what has arrived or was confirmed, and a stall."""

from __future__ import annotations

from msgspec.structs import replace

from holdfast_proto.history import StallReason, Status
from holdfast_sidecar.core.decision import Decision, Draft
from holdfast_sidecar.core.instance import Instance
from holdfast_sidecar.core.state import Stall


def save(instance: Instance, *, now: int) -> Decision:
    """Makes durable what has arrived or was confirmed, without a turn. For when a turn takes long, or may not run."""
    record = instance.record
    has_arrivals = len(instance.inbox) > record.inbox_length
    return Draft(instance, now=now).finish(record, is_awake=record.is_awake or has_arrivals)


def stall(instance: Instance, reason: StallReason, description: str, *, now: int, dialect: str = "") -> Decision:
    """The instance stands still and says why. Its inbox stays; a new worker or a changed limit may let it go on.
    `dialect` is that of the worker which had it: of a first turn that stalls nothing else would say it."""
    record = instance.record
    stalled = replace(
        record,
        status=Status.SUSPENDED if record.is_suspended else Status.STALLED,
        stall=Stall(reason.name, description, now),
        attempts=record.attempts + 1,
        dialect=record.dialect or dialect,
    )
    return Draft(instance, now=now).finish(stalled, is_awake=True)
