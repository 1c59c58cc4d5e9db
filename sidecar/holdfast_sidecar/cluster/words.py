"""What two sidecars say to each other: frames of idempotent messages, each answered by its number.

Encoded as msgpack by msgspec: the values are those that the engine uses anyway, so nothing is translated on the way.
Fields are added with defaults, never removed or given another meaning; `PROTOCOL` grows when that is not enough.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from holdfast_sidecar.core import errors
from holdfast_sidecar.core.errors import HoldfastError, Kind
from holdfast_sidecar.core.messages import Fork, Message, Purge, Terminate
from holdfast_sidecar.core.state import View

PROTOCOL: Final = 1


class Greeting(Struct, frozen=True):
    """First on both sides: who is there. A peer of another namespace, app or partition count is not talked to."""

    protocol: int
    namespace: str
    app_id: str
    host_id: str
    incarnation: str
    partitions: int


class Envelope(Struct, frozen=True, array_like=True):
    number: int
    message: Message


class RunOrder(Struct, frozen=True, array_like=True):
    """An activity to run here. Known by (instance, execution, row), so a second order changes nothing."""

    instance_id: str
    execution_id: str
    row: int
    event: bytes


class StopOrder(Struct, frozen=True, array_like=True):
    instance_id: str
    execution_id: str
    seq: int
    row: int
    has_ended: bool


class Which(Struct, frozen=True, array_like=True):
    """An activity, by what it is known as."""

    instance_id: str
    execution_id: str
    row: int


class WatchOrder(Struct, frozen=True, array_like=True):
    number: int
    instance_id: str
    for_end: bool


class Told(Struct, frozen=True, array_like=True):
    """What became of a watched instance; None: it is gone."""

    number: int
    view: View | None


class Refusal(Struct, frozen=True, array_like=True):
    name: str
    kind: Kind
    text: str


class Answer(Struct, frozen=True, array_like=True):
    """The message has taken durable effect, or was refused."""

    number: int
    refusal: Refusal | None = None


class Frame(Struct, omit_defaults=True):
    """Everything that gathered while the frame before was on its way."""

    greeting: Greeting | None = None
    messages: list[Envelope] = []
    answers: list[Answer] = []
    runs: list[RunOrder] = []
    stops: list[StopOrder] = []
    watches: list[WatchOrder] = []
    unwatches: list[int] = []
    told: list[Told] = []
    hears_placement: bool | None = None  # None: unchanged
    refused: str | None = None  # instead of a greeting: why the caller is not talked to
    held: list[Which] = []  # activities of instances that came to you, and that I am at
    applied: int | None = None  # the version of the table that I follow; what is `held` by it was told before
    returned: list[Which] = []  # ordered here, but no worker of mine will run it: ask another

    @property
    def items(self) -> int:
        """How much it carries."""
        orders = len(self.runs) + len(self.stops) + len(self.watches) + len(self.unwatches)
        return len(self.messages) + len(self.answers) + len(self.told) + orders + len(self.held) + len(self.returned)


class BadFrame(ValueError):
    """Bytes that no peer of this protocol sends."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def encode_frame(frame: Frame) -> bytes:
    return _encoder.encode(frame)


def decode_frame(data: bytes) -> Frame:
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise BadFrame(f"a peer's frame of {len(data)} bytes: {error}") from error


def weight_of_message(message: Message) -> int:
    """Bytes of payload, roughly."""
    match message:
        case Fork():
            return sum(map(len, message.history))
        case Terminate():
            return len(message.event) + len(message.output or "")
        case Purge():
            return 0
        case _:
            return len(message.event)


def weight_of_view(view: View | None) -> int:
    if view is None:
        return 0
    return len(view.start or b"") + len(view.end or b"") + len(view.custom_status or "")


def refusal_of(error: HoldfastError) -> Refusal:
    return Refusal(error.name, error.kind, str(error))


class PeerError(HoldfastError):
    """An error of a peer's that this release has no class for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.kind = refusal.kind
        self._name = refusal.name

    @property
    def name(self) -> str:
        return self._name


def error_of(refusal: Refusal) -> HoldfastError:
    """The same error here as there, so that a client sees no difference."""
    known = getattr(errors, refusal.name, None)
    if isinstance(known, type) and issubclass(known, HoldfastError) and known.kind is refusal.kind:
        error = known.__new__(known)
        error.args = (refusal.text,)
        return error
    return PeerError(refusal)
