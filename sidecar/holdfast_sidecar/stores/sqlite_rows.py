"""Statements that know the type of their rows, and the connection that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

import apsw

Row = TypeVar("Row")


class Select(str, Generic[Row]):
    """A statement whose every row is a `Row`, a tuple."""

    __slots__ = ()


class Value(str, Generic[Row]):
    """A statement with one column."""

    __slots__ = ()


class Rows:
    """Every result is read to its end at once: a statement left half read would hold back the checkpoint."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # The connection's own methods, as apsw's types have no word for bound values that come from elsewhere.
        self.run = cast("Callable[[str, Sequence[object]], object]", connection.execute)
        self.run_each = cast("Callable[[str, Sequence[Sequence[object]]], object]", connection.executemany)

    def all(self, statement: Select[Row], bound: Sequence[object] = ()) -> list[Row]:
        return cast("list[Row]", self._connection.execute(statement, cast("tuple[int, ...]", bound)).fetchall())

    def first(self, statement: Select[Row], bound: Sequence[object] = ()) -> Row | None:
        return cast("Row | None", self._connection.execute(statement, cast("tuple[int, ...]", bound)).fetchone())

    def value(self, statement: Value[Row], bound: Sequence[object] = ()) -> Row | None:
        """The column of the first row; None when there is no row or it holds NULL."""
        return cast("Row | None", self._connection.execute(statement, cast("tuple[int, ...]", bound)).get)
