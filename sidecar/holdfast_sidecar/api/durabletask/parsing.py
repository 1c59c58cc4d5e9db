"""From bytes to messages, every fault a BadRequest with a name."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from holdfast_proto.codec import Unreadable
from holdfast_proto.history import Status
from holdfast_sidecar.api.durabletask.errors import BadRequest

M = TypeVar("M", bound=Message)


def parsed(kind: type[M], data: bytes, subject: str) -> M:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise BadRequest(
            subject, expected=f"an encoded {kind.DESCRIPTOR.name}", found=f"{len(data)} bytes of another form"
        ) from error


class named:
    """Values that the codec finds unreadable inside a request are the client's fault. No generator: it is entered for
    every answer, and this costs a third."""

    __slots__ = ("_subject",)

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Unreadable):
            raise BadRequest(self._subject, expected=f"an encoded {error.subject}", found=error.found) from error


def status_of(number: int, subject: str) -> Status:
    try:
        return Status(number)
    except ValueError as error:
        raise BadRequest(subject, expected="a status from 0 to 8", found=str(number)) from error
