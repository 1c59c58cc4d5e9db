"""What a running activity may ask about itself."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast import serialization
from holdfast.errors import ActivityCanceled, HoldfastError

_making: Final = threading.Lock()


def _unheard(_: ActivityInfo, __: str | None) -> None:
    """Of an activity that no worker runs."""


@dataclass(slots=True, eq=False)
class ActivityInfo:
    """What an activity may know of the call that it serves."""

    name: str
    instance_id: str
    execution_id: str
    workflow_name: str
    seq: int
    attempt: int  # of this sending; above 1 after a crash or a lost worker
    task_execution_id: str  # the same for all retries of one call: a key for idempotency
    tags: dict[str, str]
    heartbeat_details: str | None = None  # JSON text; see `details_as`
    beat: Callable[[ActivityInfo, str | None], None] = field(default=_unheard, repr=False)
    is_canceled: bool = field(default=False, init=False, repr=False)
    """Whether somebody asked it to stop. An async activity gets CancelledError; a sync one has to look here."""
    _canceled: threading.Event | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def canceled(self) -> threading.Event:
        """The same, to be waited for in a thread. Made when first asked for, as few ask and it is dear."""
        with _making:
            if self._canceled is None:
                self._canceled = threading.Event()
                if self.is_canceled:
                    self._canceled.set()
            return self._canceled

    def cancel(self) -> None:
        """Asks it to stop. For the worker."""
        with _making:
            self.is_canceled = True
            if self._canceled is not None:
                self._canceled.set()

    def heartbeat(self, details: Any = None) -> None:
        """Says that the activity is alive, and how far it is. From any thread.

        Raises ActivityCanceled once it has been asked to stop. `details` are written as JSON.
        """
        if self.is_canceled:
            raise ActivityCanceled(f"activity {self.name!r}: it was asked to stop")
        what = f"heartbeat of activity {self.name!r}"
        self.beat(self, None if details is None else serialization.encode(details, what=what))

    def details_as(self, kind: Any) -> Any:
        """The last details that an earlier sending of this call reported; None when there was none."""
        if not self.heartbeat_details:
            return None
        return serialization.decode(self.heartbeat_details, kind, what=f"heartbeat of activity {self.name!r}")


current: contextvars.ContextVar[ActivityInfo] = contextvars.ContextVar("holdfast_activity")


def current_activity() -> ActivityInfo:
    """The call that the running activity serves. Raises HoldfastError outside of one."""
    try:
        return current.get()
    except LookupError:
        raise HoldfastError(
            "current_activity(): expected to run inside an activity, found none; in a process of its own "
            "(in_process=True) an activity knows nothing of its call"
        ) from None
