"""What the actors need of the rest of the house, as narrow protocols beside their user."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol, TypeAlias

from holdfast_kit.clock import Handle
from holdfast_proto.history import ActivityScheduled
from holdfast_sidecar.core.decision import RunActivity, StopActivity
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.messages import Message
from holdfast_sidecar.core.turn import TurnResult

Reply: TypeAlias = Callable[[HoldfastError | None], None]
"""Called exactly once: None when the message has taken durable effect (or had already), else the error."""


def no_reply(_: HoldfastError | None) -> None:
    """For messages that nobody waits for."""


SAVE_AFTER: Final = 0.02  # seconds that a message may wait to be folded into a turn's commit before it gets its own


class CancelReason(IntEnum):
    """Why a running activity is asked to stop. The numbers are those of the native protocol."""

    REQUESTED = 1
    TIMED_OUT = 2
    HEARTBEAT_TIMED_OUT = 3
    INSTANCE_ENDED = 4
    LOST = 5


class TurnTask:
    """One turn on its way to a worker. Made by the instance's actor, carried by the pool, answered by a worker."""

    __slots__ = (
        "attempt",
        "declined",
        "dialect",
        "execution_id",
        "generation",
        "history",
        "instance_id",
        "is_repaired",
        "label",
        "lost",
        "name",
        "new",
        "on_done",
        "on_push",
        "past_count",
        "rest",
        "token",
        "turn_trace",
        "worker",
    )

    def __init__(
        self,
        *,
        instance_id: str,
        execution_id: str,
        generation: int,
        name: str,
        label: str | None,
        history: list[bytes],
        new: list[bytes],
        turn_trace: bytes,
        dialect: str,
        on_done: Callable[[TurnTask, TurnResult], None],
        worker: Worker | None,
        is_repaired: bool = False,
        on_push: Callable[[TurnTask], None] = lambda _: None,
    ) -> None:
        self.instance_id = instance_id
        self.execution_id = execution_id
        self.generation = generation
        self.name = name
        self.label = label
        self.history = history  # the actor's own list: rows up to past_count are the past
        self.past_count = len(history)
        self.new = new
        self.turn_trace = turn_trace
        self.dialect = dialect
        self.is_repaired = is_repaired  # the history was rewound
        self.on_done = on_done
        self.on_push = on_push  # called when a worker is about to get it: what waited for one starts only then
        self.worker = worker  # before the push: who is preferred; after it: who has it
        self.token = 0  # of the present dispatch; 0 while nobody has it
        self.attempt = 0
        self.lost = 0  # dispatches that ended without an answer
        self.rest: Handle | None = None  # until it is offered again after a worker gave it back
        self.declined: frozenset[str] = frozenset()  # workers that gave it back, until all have


class ActivityTask:
    """One activity on its way to a worker of this host."""

    __slots__ = (
        "attempt",
        "data",
        "declined",
        "details",
        "event",
        "execution_id",
        "instance_id",
        "on_done",
        "rest",
        "row",
        "timers",
        "token",
        "worker",
    )

    def __init__(self, order: RunActivity, on_done: Callable[[ActivityTask, bytes, Reply], None]) -> None:
        self.instance_id = order.instance_id
        self.execution_id = order.execution_id
        self.row = order.row
        self.event: ActivityScheduled = order.event
        self.data = order.data
        self.on_done = on_done
        self.worker: Worker | None = None
        self.token = 0
        self.attempt = 0
        self.details = ""  # of the last heartbeat
        self.rest: Handle | None = None  # until it is offered again after a worker gave it back
        self.declined: frozenset[str] = frozenset()  # workers that gave it back, until all have
        self.timers: dict[str, Handle] = {}  # the bounds that run, by name


class Worker(Protocol):
    """The app's end of one stream. `push_*` never waits and never fails: a broken stream disconnects later."""

    @property
    def id(self) -> str: ...

    @property
    def free_turns(self) -> int: ...

    @property
    def free_activities(self) -> int: ...

    @property
    def patience(self) -> float:
        """Seconds, at most SAVE_AFTER, that a message may wait for a turn of this worker to carry it to the store."""
        ...

    def takes_turn(self, name: str, label: str | None) -> bool: ...

    def takes_activity(self, name: str, version: str | None) -> bool: ...

    def push_turn(self, task: TurnTask) -> None: ...

    def push_activity(self, task: ActivityTask) -> None: ...

    def cancel_activity(self, task: ActivityTask, reason: CancelReason) -> None: ...

    def forget(self, instance_id: str) -> None:
        """The instance moved on without this worker: a cached run of it is stale."""
        ...


class Router(Protocol):
    """Finds the owner of an instance or activity, wherever it is, and tries again while owners change."""

    def send(self, message: Message, reply: Reply) -> None: ...

    def run_activity(self, order: RunActivity, *, is_alone: bool = False, is_again: bool = False) -> None:
        """`is_alone`: nothing else of its instance runs. `is_again`: somebody may be at it already."""
        ...

    def stop_activity(self, order: StopActivity) -> None: ...
