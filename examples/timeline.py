"""A history as lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from holdfast_proto.history import (
    ActivityCompleted,
    ActivityFailed,
    ActivityScheduled,
    EventReceived,
    HistoryEvent,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)

SHOWN_MAX = 72
_NANOS = 1_000_000_000


def timeline(history: Sequence[HistoryEvent]) -> Iterator[str]:
    """One line per fact, with the seconds since the first; the marks of turns are left out."""
    names = {event.seq: event.name for event in history if isinstance(event, ActivityScheduled)}
    begin = history[0].at if history else 0
    for event in history:
        words = _words(event, names)
        if words:
            yield f"+{(event.at - begin) / _NANOS:6.2f} s  {_short(' '.join(words))}"


def _words(event: HistoryEvent, names: dict[int, str]) -> Iterable[str]:
    match event:
        case TurnStarted():
            return ()
        case WorkflowStarted(name=name):
            return ("workflow", name, "started")
        case WorkflowCompleted(status=status):
            return ("workflow", status.name.lower())
        case ActivityScheduled(name=name):
            return ("run", name)
        case ActivityCompleted(seq=seq, result=result):
            return (names[seq], "gave", result or "nothing")
        case ActivityFailed(seq=seq, failure=failure):
            return (names[seq], "failed:", failure.kind, failure.message)
        case TimerCreated(name=name, fire_at=fire_at, at=at):
            return ("timer", *([name] if name else []), f"for {max(0, fire_at - at) / _NANOS:.1f} s")
        case TimerFired():
            return ("timer fired",)
        case TimerCanceled():
            return ("timer canceled",)
        case EventReceived(name=name, input=payload):
            return ("event", name, payload or "")
        case _:
            return (type(event).__name__,)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"
