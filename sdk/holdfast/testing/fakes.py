"""Stand-ins for activities."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from holdfast._signature import Signature
from holdfast.authoring import Activity


class Fake:
    """What stands in for an activity. `calls`: the arguments of each call, in order of arrival."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.calls: list[tuple[Any, ...]] = []
        self._function = function

    async def __call__(self, *arguments: Any) -> Any:
        self.calls.append(arguments)
        result = self._function(*arguments)
        return await result if inspect.isawaitable(result) else result

    def __repr__(self) -> str:
        return f"<fake of {self.name!r}, called {len(self.calls)} times>"


def stand_in(activity: Activity[..., Any], fake: Fake) -> Activity[..., Any]:
    """With the types, the name and the declared errors of the activity; in the worker's loop, never in a thread."""
    made: Activity[..., Any] = activity.bound_to(None)
    made.__dict__.update(function=fake, is_async=True, in_process=False, is_method=False)
    return made


def unknown(name: str, function: Callable[..., Any]) -> Activity[..., Any]:
    """For an activity that is declared elsewhere: the stand-in's own signature says what it takes and gives."""
    made: Activity[..., Any] = Activity(_declared_elsewhere, name=name)
    made.signature = Signature(function, skipping=0, what=name)
    return made


def _declared_elsewhere() -> None:
    """Only a name."""
