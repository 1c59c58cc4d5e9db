"""What workflow code can ask of its run. The other half of a run, which feeds it facts, is in engine.py."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType

from holdfast._replay.inbox import Events
from holdfast._replay.ledger import Ledger
from holdfast._replay.loop import ReplayLoop, Timer
from holdfast._replay.operations import ActivityCall, Call, ChildCall
from holdfast.errors import Evicted, NotAllowedInWorkflow, PayloadTooLarge
from holdfast_proto.actions import Action, CancelActivity, CancelTimer, CreateTimer, TerminateInstance
from holdfast_proto.history import TimerOrigin, TurnStarted, WorkflowStarted

C = TypeVar("C", bound=Call[Any])

_CHANCE: Final = 1 << 64
_NO_LONGER_AWAITED: Final = '"the parent waits no more"'


class Desk:
    """Everything here is counted and ordered: the same calls in the same order get the same numbers at each replay."""

    __slots__ = (
        *("_decided", "_events", "_new_patches", "_patches", "_seq", "activities", "custom_status"),
        *("info", "is_replaying", "ledger", "loop", "now", "others", "payload_bytes_max", "started_at"),
    )

    loop: ReplayLoop
    info: WorkflowStarted

    def __init__(self, *, payload_bytes_max: int) -> None:
        self.payload_bytes_max = payload_bytes_max
        self._seq = 0
        self._patches: tuple[str, ...] = ()
        self._new_patches: list[str] | None = None
        self._decided: dict[str, bool] | None = None
        self._events: Events | None = None
        self.custom_status: str | UnsetType | None = UNSET
        self.ledger = Ledger()
        self.activities: dict[int, ActivityCall] = {}
        self.others: dict[int, ChildCall | Timer] = {}
        self.is_replaying = False
        self.now = self.started_at = 0

    # ---- identity, time, chance --------------------------------------------------------------------------------------

    @property
    def instance_id(self) -> str:
        return self.info.instance_id

    @property
    def execution_id(self) -> str:
        return self.info.execution_id

    def chance(self, *parts: int) -> float:
        """A number in [0, 1) that these parts always give in this run."""
        text = f"{self.instance_id}/{self.execution_id}/{parts}"
        return int.from_bytes(_digest(text, 8), "big") / _CHANCE

    def child_id(self, seq: int) -> str:
        """Differs between generations, as a child of the one before may still run."""
        return f"{self.instance_id}:{_digest(self.execution_id, 3).hex()}.{seq}"

    def next_seq(self) -> int:
        seq = self._seq
        self._seq = seq + 1
        return seq

    def begin_turn(self, event: TurnStarted) -> None:
        self.now = max(self.now, event.at)  # two hosts' clocks may differ; the workflow's never goes back
        if event.patches:
            self._patches = (*self._patches, *(name for name in event.patches if name not in self._patches))

    # ---- requests ----------------------------------------------------------------------------------------------------

    def emit(self, action: Action) -> int:
        """Adds an action to the turn; returns the position by which it can be taken back."""
        if not self.loop.is_in_turn:
            self._refuse_outside()
        return self.ledger.emit(action)

    def check_size(self, payload: str | None, *, what: str) -> None:
        """Raises PayloadTooLarge. A payload's size in bytes is only counted when it may be above the limit."""
        bound = self.payload_bytes_max
        if payload is None or len(payload) * 4 <= bound:
            return
        size = len(payload.encode(errors="surrogatepass"))
        if size > bound:
            raise PayloadTooLarge(
                f"{what}: expected at most {bound} bytes, found {size}; keep the data elsewhere and pass a reference"
            )

    def new_call(self, kind: type[C]) -> C:
        call = kind(loop=self.loop)
        call.number = self.loop.next_hash()
        call.run = self
        return call

    def wait_until(
        self,
        fire_at: int,
        callback: Callable[[], None],
        *,
        origin: TimerOrigin,
        origin_name: str = "",
        name: str | None = None,
    ) -> Timer:
        timer = self.loop.new_timer(fire_at, callback)
        self._keep_timer(timer, origin=origin, origin_name=origin_name, name=name)
        return timer

    def start_timer(self, timer: Timer) -> None:
        self._keep_timer(timer, origin=TimerOrigin.USER, origin_name="", name=None)

    def _keep_timer(self, timer: Timer, *, origin: TimerOrigin, origin_name: str, name: str | None) -> None:
        timer.seq = seq = self.next_seq()
        timer.position = self.emit(
            CreateTimer(seq=seq, fire_at=timer.fire_at, name=name, origin=origin, origin_name=origin_name)
        )
        self.others[seq] = timer

    def cancel_timer(self, timer: Timer) -> None:
        if self.others.pop(timer.seq, None) is not None and not self.ledger.take_back(timer.position):
            self.emit(CancelTimer(seq=timer.seq))

    def cancel_activity(self, call: ActivityCall) -> None:
        if self.loop.is_closed() or self.activities.pop(call.seq, None) is None:
            return
        if not self.ledger.take_back(call.position):
            self.emit(CancelActivity(seq=call.seq))

    def cancel_child(self, call: ChildCall) -> None:
        if self.loop.is_closed() or self.others.pop(call.seq, None) is None:
            return
        if not self.ledger.take_back(call.position):
            self.emit(
                TerminateInstance(
                    seq=self.next_seq(), instance_id=call.instance_id, reason=_NO_LONGER_AWAITED, recurse=True
                )
            )

    def _refuse_outside(self) -> None:
        if self.loop.is_closed():
            raise Evicted
        raise NotAllowedInWorkflow(
            f"instance {self.instance_id!r}: its context was used while the workflow was not running, from an "
            "activity, a thread or another loop; only the workflow's own code may use it"
        )

    # ---- events, patches ---------------------------------------------------------------------------------------------

    @property
    def events(self) -> Events:
        if self._events is None:
            self._events = Events()
        return self._events

    def set_custom_status(self, status: str | None) -> None:
        if not self.is_replaying:
            self.custom_status = status

    def patched(self, name: str) -> bool:
        """Decided when first asked, and the same for the rest of the run."""
        if self._decided is None:
            self._decided = {}
        known = self._decided.get(name)
        if known is None:
            known = self._decided[name] = not self.is_replaying or name in self._patches
            if not self.is_replaying and name not in self._patches:
                self._new_patches = [*(self._new_patches or ()), name]
        return known

    def take_new_patches(self) -> tuple[str, ...]:
        """All patches, when this turn took a new one; else none."""
        if not self._new_patches:
            return ()
        self._patches, self._new_patches = (*self._patches, *self._new_patches), None
        return self._patches


def _digest(text: str, size: int) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=size).digest()
