"""Events that arrived for a workflow, and the code that waits for them. First come, first served, by name.

Names are compared without regard to case; the spelling of the sender is kept.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from holdfast_proto.history import EventReceived

if TYPE_CHECKING:
    from holdfast._replay.operations import EventCall


class Events:
    __slots__ = ("_arrived", "_buffered", "_waiting")

    def __init__(self) -> None:
        self._buffered: dict[str, deque[tuple[int, EventReceived]]] = {}
        self._waiting: dict[str, deque[EventCall]] = {}
        self._arrived = 0

    def deliver(self, event: EventReceived) -> None:
        name = event.name.casefold()
        waiting = self._waiting.get(name)
        if waiting:
            call = waiting.popleft()
            if not waiting:
                del self._waiting[name]
            call.receive(event.input)
            return
        self._arrived += 1
        self._buffered.setdefault(name, deque()).append((self._arrived, event))

    def wait(self, call: EventCall) -> bool:
        """Gives the call the oldest buffered event of its name (True), or remembers that it waits (False)."""
        name = call.name.casefold()
        buffered = self._buffered.get(name)
        if buffered:
            _, event = buffered.popleft()
            if not buffered:
                del self._buffered[name]
            call.receive(event.input)
            return True
        self._waiting.setdefault(name, deque()).append(call)
        return False

    def leave(self, call: EventCall) -> None:
        name = call.name.casefold()
        waiting = self._waiting.get(name)
        if waiting and call in waiting:
            waiting.remove(call)
            if not waiting:
                del self._waiting[name]

    @property
    def unread(self) -> list[EventReceived]:
        """What nobody has taken, in order of arrival."""
        every = [entry for queue in self._buffered.values() for entry in queue]
        return [event for _, event in sorted(every, key=lambda entry: entry[0])]

    @property
    def is_awaited(self) -> bool:
        return bool(self._waiting)
