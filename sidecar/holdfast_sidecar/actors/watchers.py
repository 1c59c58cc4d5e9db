"""Who waits for an instance to start or to end. Costs nothing for instances that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import View

Watch = Callable[[View | None], None]


class Watchers:
    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[bool, Watch]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __contains__(self, instance_id: str) -> bool:
        return instance_id in self._waiting

    def is_met(self, instance_id: str, status: Status) -> bool:
        """Whether somebody waits for just that: most commits bring nobody what he waits for."""
        entries = self._waiting.get(instance_id)
        return entries is not None and any(has_come(status, for_end=for_end) for for_end, _ in entries)

    def waited(self) -> list[str]:
        """Instances that somebody waits for."""
        return list(self._waiting)

    def add(self, instance_id: str, watch: Watch, *, for_end: bool) -> Callable[[], None]:
        """Calls `watch` once, when the instance has started (ended, with `for_end`) or is gone. Gives how to stop."""
        entry = (for_end, watch)
        self._waiting.setdefault(instance_id, []).append(entry)

        def stop() -> None:
            entries = self._waiting.get(instance_id)
            if entries is not None and entry in entries:
                entries.remove(entry)
                if not entries:
                    del self._waiting[instance_id]

        return stop

    def tell(self, instance_id: str, view: View | None) -> None:
        entries = self._waiting.get(instance_id)
        if entries is None:
            return
        left = [entry for entry in entries if not is_met(view, for_end=entry[0])]
        if left:
            self._waiting[instance_id] = left
        else:
            del self._waiting[instance_id]
        for entry in entries:
            if entry not in left:
                entry[1](view)


def is_met(view: View | None, *, for_end: bool) -> bool:
    return view is None or has_come(view.record.status, for_end=for_end)


def has_come(status: Status, *, for_end: bool) -> bool:
    return status.is_terminal if for_end else status is not Status.PENDING
