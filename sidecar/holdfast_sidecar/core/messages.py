"""What instances, clients and hosts say to an instance. Tagged values that travel as msgpack: between hosts, and in
the outbox rows of a sender. Events inside are in their stored encoding, so nobody on the way decodes them."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from holdfast_proto.history import Status

_TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.TERMINATED})


class ReusePolicy(Struct, frozen=True, kw_only=True):
    """What a start may do to an instance that has the id already."""

    replaceable: frozenset[Status] = _TERMINAL
    kept: frozenset[Status] = frozenset()  # answer OK and leave it as it is


class Start(Struct, frozen=True, kw_only=True, gc=False, tag="start"):
    """Create an instance. `event` is its WorkflowStarted, whose execution id makes a repeated start recognisable.
    `may_wait`: for its first turn, as nobody is told that it is durable before."""

    instance_id: str
    event: bytes
    policy: ReusePolicy = ReusePolicy()
    may_wait: bool = False


class StartChild(Struct, frozen=True, kw_only=True, gc=False, tag="start-child"):
    """A parent's start; who the parent is stands in the event."""

    instance_id: str
    event: bytes


class Deliver(Struct, frozen=True, kw_only=True, gc=False, tag="deliver"):
    """An EventReceived, Suspended or Resumed for the inbox. `is_required`: say so if there is no such instance."""

    instance_id: str
    event: bytes
    is_required: bool = True


class Terminate(Struct, frozen=True, kw_only=True, gc=False, tag="terminate"):
    """End an instance. With `event`, the start of a child that may still be on its way, only that child is meant, and
    where it does not exist yet it is made and ended, so that the start finds it so."""

    instance_id: str
    output: str | None = None
    recurse: bool = False
    is_required: bool = True
    event: bytes = b""


class ActivityAnswer(Struct, frozen=True, kw_only=True, gc=False, tag="activity-answer"):
    """ActivityCompleted or ActivityFailed for the schedule in `row` of that execution."""

    instance_id: str
    execution_id: str
    row: int
    event: bytes


class ChildAnswer(Struct, frozen=True, kw_only=True, gc=False, tag="child-answer"):
    """ChildCompleted or ChildFailed for the schedule in `row` of that execution."""

    instance_id: str
    execution_id: str
    row: int
    event: bytes


class Rewind(Struct, frozen=True, kw_only=True, gc=False, tag="rewind"):
    """Repair a failed run. For a child, `event` holds what starts it anew should it be gone."""

    instance_id: str
    reason: str | None = None
    event: bytes = b""


class Fork(Struct, frozen=True, kw_only=True, gc=False, tag="fork"):
    """Create an instance that begins with this history (a rerun)."""

    instance_id: str
    history: tuple[bytes, ...]


class Purge(Struct, frozen=True, kw_only=True, gc=False, tag="purge"):
    instance_id: str
    is_forced: bool = False


Message: TypeAlias = Start | StartChild | Deliver | Terminate | ActivityAnswer | ChildAnswer | Rewind | Fork | Purge

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    return _encoder.encode(message)


def decode_message(data: bytes) -> Message:
    return _decoder.decode(data)
