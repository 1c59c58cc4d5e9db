"""Recorded histories against today's code: what would stall in production is found here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

from holdfast._replay.engine import Run
from holdfast.errors import HistoryMismatch, HoldfastError, NonDeterminism, VersionNotAvailable
from holdfast.registry import Registry
from holdfast.testing.histories import History, load_histories
from holdfast_proto.history import HistoryEvent, Rewound

Recorded: TypeAlias = str | Path | Sequence[HistoryEvent] | History


class ReplayFailed(HoldfastError):
    """Today's code does not do what histories say that it did. `problems` has one error per history."""

    def __init__(self, problems: Sequence[HoldfastError]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def check_replay(workflows: object, *histories: Recorded) -> int:
    """Replays histories against code; gives how many there were.

    `workflows`: a workflow, a module, or a list of those. A history is a file, what `handle.history()` gave, or a
    History. Raises NonDeterminism for one history, ReplayFailed for several that do not fit. Activities are not run.
    """
    offers = cast("Iterable[object]", workflows) if isinstance(workflows, list | tuple) else (workflows,)
    registry = Registry(*offers)
    recorded = [one for given in histories for one in _loaded(given)]
    problems = [problem for one in recorded if (problem := replay_problem(registry, one)) is not None]
    if len(recorded) == 1 and problems:
        raise problems[0]
    if problems:
        raise ReplayFailed(problems)
    return len(recorded)


def replay_problem(registry: Registry, history: History) -> HoldfastError | None:
    """Why the code does not fit the history; None when it does."""
    run = Run(registry)
    try:
        run.replay(history.events, is_repaired=any(isinstance(event, Rewound) for event in history.events))
    except (NonDeterminism, VersionNotAvailable, HistoryMismatch) as error:
        return error
    finally:
        run.close()
    return None


def _loaded(given: Recorded) -> list[History]:
    if isinstance(given, History):
        return [given]
    if isinstance(given, str | Path):
        return load_histories(given)
    return [History.of(given)]
