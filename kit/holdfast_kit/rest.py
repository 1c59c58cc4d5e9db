"""When to try again what failed: after a rest, each twice as long as the last."""

from __future__ import annotations


class Rest:
    """Counted in occasions to try it, not in time: the first rest takes `shortest` of them, none above `longest`."""

    def __init__(self, *, shortest: int, longest: int) -> None:
        self._shortest = shortest
        self._longest = longest
        self._next = shortest
        self._left = 0

    def is_over(self) -> bool:
        """Asked once per occasion."""
        if self._left:
            self._left -= 1
            return False
        return True

    def begin(self) -> None:
        """It was tried and failed."""
        self._left, self._next = self._next, min(self._next * 2, self._longest)

    def forget(self) -> None:
        """It was tried and went well: the next rest is the shortest again."""
        self._next = self._shortest
