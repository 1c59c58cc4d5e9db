"""Whether what several clients saw of one register can be explained by doing the operations one at a time.

Wing and Gong's search: of the operations that nobody else must precede, try each, and remember where that led nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    READ = "read"
    WRITE = "write"
    SWAP = "swap"  # to `value`, if `expected` is there


@dataclass(frozen=True)
class Operation:
    """From when it was asked to when its answer was known, on one clock. `end` None: the answer never came, so it may
    have happened at any time since, or not at all."""

    kind: Kind
    begin: int
    end: int | None
    value: int = 0  # written, or read
    expected: int = 0
    is_done: bool = True  # of a swap: whether it found what it expected

    def after(self, value: int) -> int | None:
        """What the register holds then; None when this answer cannot be given while it holds `value`."""
        match self.kind:
            case Kind.READ:
                return value if value == self.value else None
            case Kind.WRITE:
                return self.value
            case Kind.SWAP if (value == self.expected) is not self.is_done and self.end is not None:
                return None
            case Kind.SWAP:
                return self.value if value == self.expected else value


def is_linearizable(operations: Sequence[Operation], *, initial: int = 0) -> bool:
    """One order of all operations explains every answer, and none is before one that had ended when it began."""
    ordered = sorted(operations, key=lambda operation: operation.begin)
    answered = frozenset(number for number, operation in enumerate(ordered) if operation.end is not None)
    seen = set[tuple[frozenset[int], int]]()
    places = [(frozenset[int](), initial)]
    while places:
        place = places.pop()
        if place in seen:
            continue
        seen.add(place)
        done, value = place
        if answered <= done:
            return True
        for number in _next(ordered, done):
            after = ordered[number].after(value)
            if after is not None:
                places.append((done | {number}, after))
    return False


def _next(ordered: Sequence[Operation], done: frozenset[int]) -> Iterator[int]:
    """What may come next: it began before the first of the others was over."""
    until: int | None = None
    for number, operation in enumerate(ordered):
        if number in done:
            continue
        if until is not None and operation.begin > until:
            return
        yield number
        if operation.end is not None and (until is None or operation.end < until):
            until = operation.end
