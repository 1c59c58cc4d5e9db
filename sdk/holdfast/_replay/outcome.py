"""What comes out of a turn. Beside the engine and not in it: a compiled module loses the options of a Struct."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType

from holdfast_proto.actions import Action


class TurnOutcome(Struct, frozen=True, kw_only=True):
    """What a turn decided. A custom status that is UNSET stays as it was; None clears it."""

    actions: Sequence[Action]
    custom_status: str | UnsetType | None = UNSET
    patches: tuple[str, ...] = ()
    version_name: str | None = None
    has_ended: bool = False
