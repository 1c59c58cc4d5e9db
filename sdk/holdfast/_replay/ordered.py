"""Sets of tasks that iterate in the same order in every process.

Python iterates a set by hash, and hashes a future by its address. Tasks and futures of a replay loop hash by their
number instead, which makes every set of them repeatable; OrderedSet goes further and iterates in the order of
insertion, as asyncio's own results (`done, pending = await asyncio.wait(...)`) do on a replay loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar, cast

T = TypeVar("T")


class OrderedSet(set[T]):
    """A set that remembers the order of insertion. Operators give plain sets."""

    __slots__ = ("_order",)

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._order = dict.fromkeys(items)
        super().__init__(self._order)

    def __iter__(self) -> Iterator[T]:
        return iter(self._order)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._order)

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._order))}}}" if self._order else "set()"

    def add(self, item: T) -> None:
        self._order[item] = None
        super().add(item)

    def discard(self, item: object) -> None:
        self._order.pop(cast("T", item), None)
        super().discard(item)

    def remove(self, item: T) -> None:
        super().remove(item)
        del self._order[item]

    def pop(self) -> T:
        if not self._order:
            raise KeyError("pop from an empty set")
        first = next(iter(self._order))
        self.remove(first)
        return first

    def clear(self) -> None:
        self._order.clear()
        super().clear()

    def copy(self) -> OrderedSet[T]:
        return OrderedSet(self._order)

    def update(self, *others: Iterable[T]) -> None:
        for other in others:
            for item in other:
                self.add(item)

    def difference_update(self, *others: Iterable[Any]) -> None:
        for other in others:
            for item in list(other):
                self.discard(item)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        kept = super().intersection(*others)
        self.difference_update([item for item in self._order if item not in kept])

    def symmetric_difference_update(self, other: Iterable[T]) -> None:
        for item in list(dict.fromkeys(other)):
            (self.discard if item in self else self.add)(item)

    def __ior__(self, other: AbstractSet[T]) -> OrderedSet[T]:  # type: ignore[override, misc]  # as set's, but for equal elements
        self.update(other)
        return self

    def __isub__(self, other: AbstractSet[Any]) -> OrderedSet[T]:  # type: ignore[misc]  # as set's, but for equal elements
        self.difference_update(other)
        return self

    def __iand__(self, other: AbstractSet[Any]) -> OrderedSet[T]:  # type: ignore[misc]  # as set's, but for equal elements
        self.intersection_update(other)
        return self

    def __ixor__(self, other: AbstractSet[T]) -> OrderedSet[T]:  # type: ignore[override, misc]  # as set's, but for equal elements
        self.symmetric_difference_update(other)
        return self
