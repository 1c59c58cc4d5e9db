"""What a worker says of an activity, as the fact that goes to its workflow. The same for every protocol."""

from __future__ import annotations

from typing import TypeAlias

from holdfast_proto.codec import encode_event
from holdfast_proto.history import ActivityCompleted, ActivityFailed, ActivityScheduled, Failure
from holdfast_sidecar.core.limits import Limits

Outcome: TypeAlias = ActivityCompleted | ActivityFailed


def outcome_of(
    scheduled: ActivityScheduled, *, result: str | None, failure: Failure | None, now: int, limits: Limits
) -> Outcome:
    """What is above the payload limit becomes a failure that says so: the workflow hears of it."""
    bound = limits.payload_bytes_max
    if failure is not None:
        failed = _failed(scheduled, failure, now)
        size = len(encode_event(failed))
        return failed if size <= bound else _failed(scheduled, _too_large(scheduled, "failure", size, bound), now)
    size = 0 if result is None or len(result) * 4 <= bound else len(result.encode("utf-8", "surrogatepass"))
    if size > bound:
        return _failed(scheduled, _too_large(scheduled, "result", size, bound), now)
    return ActivityCompleted(at=now, seq=scheduled.seq, result=result, task_execution_id=scheduled.task_execution_id)


def _failed(scheduled: ActivityScheduled, failure: Failure, now: int) -> ActivityFailed:
    return ActivityFailed(at=now, seq=scheduled.seq, failure=failure, task_execution_id=scheduled.task_execution_id)


def _too_large(scheduled: ActivityScheduled, what: str, size: int, bound: int) -> Failure:
    return Failure(
        kind="PayloadTooLarge",
        message=f"activity {scheduled.name!r}: its {what} has {size} bytes, at most {bound} are allowed; store it "
        "elsewhere and return a reference, or raise payload_bytes_max",
        is_non_retryable=True,
    )
