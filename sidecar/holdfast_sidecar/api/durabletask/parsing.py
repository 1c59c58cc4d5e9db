"""From bytes to messages, every fault a BadRequest with a name."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
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


@contextmanager
def named(subject: str) -> Generator[None]:
    """Values that the codec finds unreadable inside a request are the client's fault."""
    try:
        yield
    except Unreadable as error:
        raise BadRequest(subject, expected=f"an encoded {error.subject}", found=error.found) from error


def status_of(number: int, subject: str) -> Status:
    try:
        return Status(number)
    except ValueError as error:
        raise BadRequest(subject, expected="a status from 0 to 8", found=str(number)) from error
