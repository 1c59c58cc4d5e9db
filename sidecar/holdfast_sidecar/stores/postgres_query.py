"""Filters as SQL. Each status is an arm of its own, read in order from an index that fits, and cut to the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Filter
from holdfast_sidecar.stores.postgres_rows import index_name

_STATUSES: Final = tuple(Status)
_TIME_MAX: Final = 2**63 - 1  # of the column; a bound beyond it is none
_LAST_CHARACTER: Final = 0x10FFFF


class Statement:
    """SQL text that grows, with its arguments."""

    def __init__(self) -> None:
        self.args = list[object]()

    def arg(self, value: object) -> str:
        self.args.append(value)
        return f"${len(self.args)}"


def page_query(
    wanted: Filter, start: tuple[int, str] | None, *, limit: int, schema: str, are_few: bool
) -> tuple[str, Sequence[object]]:
    """Rows of (at, id) in order. With `are_few` all instances with the prefix are read first, and then put in order."""
    statement = Statement()
    order = "completed_at" if wanted.by_completion else "created_at"
    conditions = " AND ".join(_conditions(statement, wanted, start, order))
    tail = f"ORDER BY at, id LIMIT {statement.arg(limit)}"
    if are_few:
        few = f"SELECT * FROM {schema}.instances WHERE {' AND '.join(_prefix(statement, wanted.id_prefix))}"
        is_status = f"status = ANY ({statement.arg([int(s) for s in wanted.statuses or _STATUSES])}::smallint[])"
        sql = f"WITH few AS MATERIALIZED ({few}) SELECT {order} AS at, id FROM few WHERE {conditions} AND {is_status}"
        return f"{sql} {tail}", statement.args
    arms = [
        f"(SELECT {order} AS at, id FROM {schema}.instances WHERE status = {int(status)} AND {conditions} {tail})"
        for status in sorted(wanted.statuses or _STATUSES)
    ]
    return f"SELECT at, id FROM ({' UNION ALL '.join(arms)}) arms {tail}", statement.args


def count_query(start: str, *, limit: int, schema: str) -> tuple[str, Sequence[object]]:
    """How many instances have an id that starts so, counted no further than `limit`."""
    statement = Statement()
    found = f"SELECT FROM {schema}.instances WHERE {' AND '.join(_prefix(statement, start))}"
    return f"SELECT count(*) AS count FROM ({found} LIMIT {statement.arg(limit)}) found", statement.args


def _conditions(statement: Statement, wanted: Filter, start: tuple[int, str] | None, order: str) -> Iterator[str]:
    yield f"{order} IS NOT NULL"
    yield from _within(statement, "created_at", wanted.created_from, wanted.created_to)
    yield from _within(statement, "completed_at", wanted.completed_from, wanted.completed_to)
    if wanted.name:
        yield f"name = {statement.arg(index_name(wanted.name))}"
    if wanted.id_prefix:
        yield from _prefix(statement, wanted.id_prefix)
    if start is not None:
        at, instance_id = start
        yield f"({order}, id) > ({statement.arg(max(min(at, _TIME_MAX), 0))}::bigint, {statement.arg(instance_id)})"


def _within(statement: Statement, column: str, first: int, end: int) -> Iterator[str]:
    if first:
        yield f"{column} >= {statement.arg(max(min(first, _TIME_MAX), 0))}::bigint"
    if end and end <= _TIME_MAX:
        yield f"{column} < {statement.arg(max(end, 0))}::bigint"
    elif end:
        yield f"{column} IS NOT NULL"


def _prefix(statement: Statement, start: str) -> Iterator[str]:
    yield f"id >= {statement.arg(start)}"
    end = after_prefix(start)
    if end:
        yield f"id < {statement.arg(end)}"


def after_prefix(start: str) -> str:
    """The least text after all that begin with `start`; empty when there is none."""
    kept = start.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return ""
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # between them are no characters
