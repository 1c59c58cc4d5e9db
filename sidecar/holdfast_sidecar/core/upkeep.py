"""Small commits between turns: the inbox on its own, confirmed messages, a stall."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from holdfast_proto.history import StallReason, Status
from holdfast_sidecar.core.decision import Decision, Draft
from holdfast_sidecar.core.instance import Instance
from holdfast_sidecar.core.state import Stall


def save_inbox(instance: Instance, *, now: int) -> Decision:
    """Makes durable what has arrived, without a turn. For when a turn takes long, or may not run."""
    record = instance.record
    return Draft(instance, now=now).finish(record, is_awake=record.is_awake or bool(instance.inbox))


def confirm(instance: Instance, names: Iterable[str], *, now: int) -> Decision:
    """Their receivers have these outbox messages; saves whatever else has arrived on the way."""
    draft = Draft(instance, now=now)
    draft.reminders_delete += [name for name in names if name in instance.outbox]
    record = instance.record
    return draft.finish(record, is_awake=record.is_awake or instance.unsaved > 0)


def stall(instance: Instance, reason: StallReason, description: str, *, now: int) -> Decision:
    """The instance stands still and says why. Its inbox stays; a new worker or a changed limit may let it go on."""
    record = instance.record
    stalled = replace(
        record,
        status=Status.SUSPENDED if record.is_suspended else Status.STALLED,
        stall=Stall(reason.name, description, now),
        attempts=record.attempts + 1,
    )
    return Draft(instance, now=now).finish(stalled, is_awake=True)
