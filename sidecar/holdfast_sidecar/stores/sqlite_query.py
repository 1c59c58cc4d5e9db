"""Which instances a page shows, so that its cost follows the page: every query walks one index in its order.

Equal statuses and names are walked each in their own range of an index and merged; a range of ids or of completion
times that holds few instances is sorted; everything else is a walk in the order of creation or completion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import Filter
from holdfast_sidecar.stores.sqlite_rows import Rows, Select, Value

FEW: Final = 2000  # sorted in two milliseconds
LATEST: Final = 2**63 - 1

_Place: TypeAlias = tuple[int, int, str]  # key, the time it is ordered by, id
_Term: TypeAlias = tuple[str, tuple[object, ...]]  # a condition, and what is bound in it


def page_keys(rows: Rows, wanted: Filter, *, after: tuple[int, str] | None, limit: int) -> list[_Place]:
    order = "completed_at" if wanted.by_completion else "created_at"
    terms = [*_times(wanted), *_prefix(wanted.id_prefix), *_after(order, after)]
    walks = _narrow_walk(rows, wanted) or _walks(wanted)
    parts = [_walk(index, [*own, *terms], order) for index, own in walks]
    statement = " UNION ALL ".join(f"SELECT * FROM ({part})" for part, _ in parts)
    bound = [value for _, values in parts for value in (*values, limit)]
    return rows.all(Select[_Place](f"SELECT * FROM ({statement}) ORDER BY at, id LIMIT ?"), (*bound, limit))


def _walk(index: str, terms: Sequence[_Term], order: str) -> tuple[str, list[object]]:
    where = " AND ".join(term for term, _ in terms) or "TRUE"
    statement = (
        f"SELECT key, {order} AS at, id FROM instance INDEXED BY {index} WHERE {where} ORDER BY {order}, id LIMIT ?"
    )
    return statement, [value for _, values in terms for value in values]


def _walks(wanted: Filter) -> list[tuple[str, list[_Term]]]:
    """Ranges of an index, each in the page's order, that together hold all that is wanted."""
    if wanted.by_completion:
        return [("instance_completed", [*_statuses(wanted), *_name(wanted), ("completed_at IS NOT NULL", ())])]
    statuses = sorted(wanted.statuses or Status)
    each: list[_Term] = [("status = ?", (int(status),)) for status in statuses]
    if wanted.name:
        return [("instance_name", [*_name(wanted), status]) for status in each]
    if wanted.statuses:
        return [("instance_status", [status]) for status in each]
    return [("instance_created", [])]


def _narrow_walk(rows: Rows, wanted: Filter) -> list[tuple[str, list[_Term]]]:
    """One range that holds few, when there is one; a page then costs no more than sorting these."""
    rest = [*_statuses(wanted), *_name(wanted)]
    if wanted.by_completion:
        rest.append(("completed_at IS NOT NULL", ()))
    if wanted.id_prefix and _is_small(rows, "instance_id", _prefix(wanted.id_prefix)):
        return [("instance_id", rest)]
    ended = [("completed_at IS NOT NULL", ()), *_completed(wanted)]
    if len(ended) > 1 and not wanted.by_completion and _is_small(rows, "instance_completed", ended):
        return [("instance_completed", [("completed_at IS NOT NULL", ()), *rest])]
    return []


def _is_small(rows: Rows, index: str, terms: Sequence[_Term]) -> bool:
    where = " AND ".join(term for term, _ in terms)
    bound = [value for _, values in terms for value in values]
    counted = f"SELECT count(*) FROM (SELECT 1 FROM instance INDEXED BY {index} WHERE {where} LIMIT {FEW + 1})"
    return (rows.value(Value[int](counted), bound) or 0) <= FEW


def _statuses(wanted: Filter) -> list[_Term]:
    statuses = sorted(int(status) for status in wanted.statuses)
    return [(f"status IN ({', '.join('?' * len(statuses))})", tuple(statuses))] if statuses else []


def _name(wanted: Filter) -> list[_Term]:
    return [("name = ?", (wanted.name,))] if wanted.name else []


def _times(wanted: Filter) -> list[_Term]:
    return [*_within("created_at", wanted.created_from, wanted.created_to), *_completed(wanted)]


def _completed(wanted: Filter) -> list[_Term]:
    """What has not ended has no time of completion, and so is outside every bound."""
    return _within("completed_at", wanted.completed_from, wanted.completed_to)


def _within(column: str, start: int, end: int) -> list[_Term]:
    """A bound that SQLite's integers cannot hold (the year 9999) restricts nothing, or everything."""
    terms: list[_Term] = []
    if start:
        terms.append((f"{column} >= ?", (start,)) if start <= LATEST else ("FALSE", ()))
    if end:
        terms.append((f"{column} < ?", (end,)) if end <= LATEST else (f"{column} IS NOT NULL", ()))
    return terms


def _prefix(prefix: str) -> list[_Term]:
    if not prefix:
        return []
    end = _next_text(prefix)
    return [("id >= ?", (prefix,)), *([("id < ?", (end,))] if end else [])]


def _next_text(prefix: str) -> str:
    """The first text in order of code points that comes after all that start with `prefix`; empty when none does."""
    while prefix:
        head, last = prefix[:-1], ord(prefix[-1])
        if last < 0x10FFFF:
            return head + chr(0xE000 if last + 1 == 0xD800 else last + 1)  # surrogates are not characters
        prefix = head
    return ""


def _after(order: str, after: tuple[int, str] | None) -> list[_Term]:
    return [] if after is None else [(f"{order} >= ?", after[:1]), (f"({order} > ? OR id > ?)", after)]
