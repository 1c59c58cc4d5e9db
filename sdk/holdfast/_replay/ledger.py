"""The actions of a turn: collected while the code runs, then sent (a new turn) or held against the history (an old).

A position numbers an action for the life of the run, so that an action of the running turn can be taken back unsent.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast._replay.determinism import UNCONFIRMED, Site, fits, here
from holdfast_proto.actions import Action
from holdfast_proto.history import HistoryEvent


class Ledger:
    __slots__ = ("_actions", "_base", "_checked", "_has_gaps", "_is_repaired", "_owed", "_sites")

    def __init__(self) -> None:
        self._actions: list[Action | None] = []  # None: taken back, or confirmed
        self._base = 0  # actions of earlier turns
        self._has_gaps = False
        self._sites: list[Site | None] | None = None  # of the actions of a replayed turn
        self._checked = 0  # actions before this one are accounted for
        self._is_repaired = False
        self._owed: list[Action] | None = None  # asked for in the past of a repaired history, and not in it

    def emit(self, action: Action) -> int:
        actions = self._actions
        actions.append(action)
        if self._sites is not None:
            self._sites.append(here())
        return self._base + len(actions) - 1

    def take_back(self, position: int) -> bool:
        """True when the action is of this turn: then it never was. False: it has left, and takes an action to undo."""
        at = position - self._base
        if at < 0:
            return False
        self._actions[at] = None
        self._has_gaps = True
        return True

    def drop_from(self, length: int, *, keeping: type) -> None:
        """Takes back whatever was asked for since the turn had so many actions, but those of one kind."""
        self._has_gaps = True
        for at in range(length, len(self._actions)):
            if not isinstance(self._actions[at], keeping):
                self._actions[at] = None

    def __len__(self) -> int:
        return len(self._actions)

    # ---- replayed turns ----------------------------------------------------------------------------------------------

    def begin_replay(self, *, is_repaired: bool) -> None:
        self._is_repaired = is_repaired
        self._sites = []

    def confirm(self, event: HistoryEvent) -> bool:
        """Whether the fact is what the code asked for next; in a repaired history, at all."""
        for at, action in self._open():
            if fits(action, event):
                self._actions[at] = None
                self._checked = self._checked if self._is_repaired else at + 1
                return True
            if not self._is_repaired:
                return False
        return self._confirm_owed(event)

    def unconfirmed(self) -> tuple[Action | None, Site | None]:
        """What the code asked for next, and where."""
        for at, action in self._open():
            return action, self._sites[at] if self._sites else None
        return None, None

    def skip(self) -> None:
        """The turn was cut short from outside: what the code still asked for never was."""
        self._checked = len(self._actions)

    def close_replayed(self) -> bool:
        """False when the code asked for something that the history does not hold."""
        for _, action in self._open():
            if not self._is_repaired:
                return False
            self._owed = [*(self._owed or ()), action]
        self._base += len(self._actions)
        self._actions, self._checked, self._has_gaps = [], 0, False
        if self._sites:
            self._sites = []
        return True

    def end_replay(self) -> None:
        self._sites = None

    def _open(self) -> Iterator[tuple[int, Action]]:
        for at in range(self._checked, len(self._actions)):
            action = self._actions[at]
            if action is not None and type(action) not in UNCONFIRMED:
                yield at, action

    def _confirm_owed(self, event: HistoryEvent) -> bool:
        for action in self._owed or ():
            if fits(action, event):
                self._owed = [other for other in self._owed or () if other is not action]
                return True
        return False

    # ---- a new turn --------------------------------------------------------------------------------------------------

    def close(self) -> list[Action]:
        """The actions to send. Everything after is a new turn."""
        kept = self._actions
        self._base += len(kept)
        self._actions = []
        actions = [action for action in kept if action is not None] if self._has_gaps else _all(kept)
        if self._owed:
            actions, self._owed = [*self._owed, *actions], None
        self._has_gaps = False
        return actions


def _all(actions: list[Action | None]) -> list[Action]:
    return actions  # type: ignore[return-value]  # there is no gap
