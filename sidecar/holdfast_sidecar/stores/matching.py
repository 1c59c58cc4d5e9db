"""Whether a record is what a query wants, for stores that sort out in Python what their index cannot tell."""

from __future__ import annotations

from holdfast_sidecar.core.state import Filter, Record


def matches(record: Record, wanted: Filter) -> bool:
    return (
        (not wanted.statuses or record.status in wanted.statuses)
        and (not wanted.name or record.name == wanted.name)
        and record.id.startswith(wanted.id_prefix)
        and (record.completed_at is not None or not wanted.by_completion)
        and _is_within(record.created_at, wanted.created_from, wanted.created_to)
        and _is_within(record.completed_at, wanted.completed_from, wanted.completed_to)
    )


def _is_within(at: int | None, start: int, end: int) -> bool:
    """Whether `at` lies in [start, end). A bound of zero does not restrict; what has no time is outside every bound."""
    if at is None:
        return not start and not end
    return at >= start and (not end or at < end)
