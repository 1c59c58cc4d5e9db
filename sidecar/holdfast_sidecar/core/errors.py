"""Errors that callers get, each with a name, a kind and what to do. The shell maps kinds to statuses in one table."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What the caller can make of an error."""

    INVALID = "invalid"  # the request is wrong in itself
    NOT_FOUND = "not_found"
    EXISTS = "exists"
    WRONG_STATE = "wrong_state"  # right request, wrong moment
    EXHAUSTED = "exhausted"  # a limit; try later or send less
    UNAVAILABLE = "unavailable"  # the world's fault; try again
    DENIED = "denied"
    UNSUPPORTED = "unsupported"


class HoldfastError(Exception):
    """Base of what a caller may see. `name` is stable and documented; the text is for people."""

    kind: Kind = Kind.INVALID

    @property
    def name(self) -> str:
        return type(self).__name__


class InvalidInstanceId(HoldfastError):
    pass


class InvalidRequest(HoldfastError):
    pass


class PayloadTooLarge(HoldfastError):
    pass


class InstanceNotFound(HoldfastError):
    kind = Kind.NOT_FOUND

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"instance {instance_id!r}: no such instance exists; check the id, or whether it was purged")
        self.instance_id = instance_id


class EventNotFound(HoldfastError):
    kind = Kind.NOT_FOUND


class InstanceExists(HoldfastError):
    kind = Kind.EXISTS


class WrongState(HoldfastError):
    kind = Kind.WRONG_STATE


class InboxFull(HoldfastError):
    kind = Kind.EXHAUSTED


class Overloaded(HoldfastError):
    kind = Kind.EXHAUSTED


class StorageFull(HoldfastError):
    kind = Kind.EXHAUSTED


class Unavailable(HoldfastError):
    kind = Kind.UNAVAILABLE


class NotOwner(HoldfastError):
    """This host does not own the partition (any more). The router asks the owner; clients see UNAVAILABLE."""

    kind = Kind.UNAVAILABLE


class Broken(Exception):
    """An invariant of ours does not hold. The instance stalls and a person is told; nothing is patched over."""
