"""What a turn leaves on the record beside its facts."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from holdfast_sidecar.core.instance import Instance


class TurnMarks(Struct, frozen=True, gc=False):
    at: int
    status: str | UnsetType | None
    turn_trace: bytes | None
    dialect: str

    def custom_status(self, instance: Instance) -> tuple[bool, str | None]:
        """Whether the stored custom status changes, and to what."""
        if self.status is UNSET or self.status == instance.custom_status:
            return False, None
        assert not isinstance(self.status, UnsetType)
        return True, self.status
