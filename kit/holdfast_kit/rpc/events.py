"""What bytes of the peer meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from holdfast_kit.rpc.frames import Code
from holdfast_kit.rpc.hpack import Headers


@dataclass(slots=True)
class HeadersCame:
    stream_id: int
    headers: Headers
    ends: bool


@dataclass(slots=True)
class DataCame:
    """`consumed` gives the window back."""

    stream_id: int
    data: bytes
    ends: bool


@dataclass(slots=True)
class StreamReset:
    stream_id: int
    code: int


@dataclass(slots=True)
class Drained:
    """What a stream had queued has gone out; its writer may go on."""

    stream_id: int


@dataclass(slots=True)
class GoneAway:
    """The peer takes no streams above this one."""

    last_id: int
    code: int


@dataclass(slots=True)
class Lost:
    """The peer broke the protocol; nothing more is read."""

    code: Code
    text: str


Event: TypeAlias = HeadersCame | DataCame | StreamReset | Drained | GoneAway | Lost
