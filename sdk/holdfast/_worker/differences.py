"""How two runs of one workflow, given the same history, decided differently."""

from __future__ import annotations

from itertools import zip_longest

from holdfast._replay.determinism import done
from holdfast._replay.outcome import TurnOutcome
from holdfast_proto.actions import Action


def difference(instance_id: str, *, kept: TurnOutcome, built: TurnOutcome) -> str:
    """ "" when they decided the same."""
    for one, other in zip_longest(kept.actions, built.actions):
        if one != other:
            return _told(instance_id, _words(one, other), _words(other, one))
    if kept.custom_status != built.custom_status:
        return _told(instance_id, f"set the status {kept.custom_status}", f"set the status {built.custom_status}")
    return ""


def _told(instance_id: str, kept: str, built: str) -> str:
    return (
        f"instance {instance_id!r}: the run that was kept alive {kept}, the one built anew from the history {built}; "
        "the workflow depends on something beside its history (a global, a clock, chance, I/O)"
    )


def _words(action: Action | None, other: Action | None) -> str:
    """What it did; with its values where the words alone would be the same."""
    return f"{done(action)}: {action}" if done(action) == done(other) else done(action)
