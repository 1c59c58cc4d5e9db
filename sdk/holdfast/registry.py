"""What a worker offers: its workflows by name and version, its activities by name. Checked when it is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, Final, cast

from msgspec import UnsetType

from holdfast._replay.desk import Desk
from holdfast.authoring import Activity, Workflow
from holdfast.context import Context
from holdfast.errors import DefinitionError, VersionNotAvailable
from holdfast_proto.history import WorkflowStarted

_NUMBERS: Final = re.compile(r"(\d+)")


class WorkflowScript:
    """A declared workflow as the replay engine runs it."""

    __slots__ = ("_workflow", "version")

    def __init__(self, workflow: Workflow[..., Any]) -> None:
        self._workflow = workflow
        self.version = workflow.version

    def begin(self, run: Desk, payload: str | None) -> Any:
        return self._workflow.function(Context(run), *self._workflow.signature.decode(payload))

    def encode(self, result: Any) -> str | None:
        return self._workflow.signature.encode_result(result)


class Registry:
    """Takes declared functions, objects whose class declares activities, and modules (all that they declare)."""

    def __init__(self, *offers: object) -> None:
        self._scripts: dict[str, dict[str | None, WorkflowScript]] = {}
        self._workflows: list[Workflow[..., Any]] = []
        self._activities: dict[str, Activity[..., Any]] = {}
        for offer in offers:
            for definition in _definitions(offer):
                self._add(definition)

    @property
    def activities(self) -> Mapping[str, Activity[..., Any]]:
        return self._activities

    @property
    def versions(self) -> Mapping[str, tuple[str, ...]]:
        """The named versions of each workflow; none: any."""
        return {name: tuple(filter(None, scripts)) for name, scripts in self._scripts.items()}

    def put(self, activity: Activity[..., Any]) -> None:
        """In the place of the activity of that name, if there is one. For tests."""
        self._activities[activity.name] = activity

    def find(self, started: WorkflowStarted, chosen: str | UnsetType | None) -> WorkflowScript:
        """The version that the history says was taken; for a new run the one asked for, or the newest."""
        scripts = self._scripts.get(started.name)
        if scripts is None:
            raise VersionNotAvailable(
                f"instance {started.instance_id!r}: this worker has no workflow {started.name!r}; "
                f"it has {', '.join(sorted(self._scripts)) or 'none'}"
            )
        wanted = _wanted(scripts, started.version) if isinstance(chosen, UnsetType) else chosen
        script = scripts.get(wanted)
        if script is None:
            has = ", ".join(repr(version) if version else "one without a version" for version in scripts)
            raise VersionNotAvailable(
                f"instance {started.instance_id!r}: it runs workflow {started.name!r} "
                f"{f'version {wanted!r}' if wanted else 'without a version'}, this worker has {has}; "
                "keep the old version registered until its instances have ended"
            )
        return script

    def _add(self, definition: Workflow[..., Any] | Activity[..., Any]) -> None:
        definition.signature.check()
        if isinstance(definition, Workflow):
            self._add_workflow(definition)
            return
        if definition.is_method and definition.owner is None:
            owner = definition.__qualname__.rpartition(".")[0]
            raise DefinitionError(
                f"activity {definition.name!r} is a method of {owner}: register an object, such as {owner}(...)"
            )
        known = self._activities.get(definition.name)
        if known is not None and not (known.function is definition.function and known.owner is definition.owner):
            raise _duplicate("activity", definition.name, known, definition)
        self._activities[definition.name] = definition

    def _add_workflow(self, definition: Workflow[..., Any]) -> None:
        known = next((w for w in self._workflows if (w.name, w.version) == (definition.name, definition.version)), None)
        if known is not None and known is not definition:
            raise _duplicate("workflow", definition.name, known, definition)
        if known is None:
            self._workflows.append(definition)
            self._scripts.setdefault(definition.name, {})[definition.version] = WorkflowScript(definition)


def _wanted(scripts: Mapping[str | None, WorkflowScript], label: str | None) -> str | None:
    """A label that names no version is only a label, as long as no function of the workflow has a version."""
    if not any(scripts):
        return None
    if label is not None:
        return label
    return max(scripts, key=_natural)


def _natural(version: str | None) -> tuple[tuple[int, int, str], ...]:
    """Orders "2" before "10" and "1.9" before "1.10"; what has no version is the oldest."""
    parts = _NUMBERS.split(version or "")
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part)


def _definitions(offer: object) -> Iterable[Workflow[..., Any] | Activity[..., Any]]:
    if isinstance(offer, (Workflow, Activity)):
        return [cast("Workflow[..., Any] | Activity[..., Any]", offer)]
    if isinstance(offer, ModuleType):
        return [value for value in vars(offer).values() if type(value) in (Workflow, Activity)]
    found = _of_object(offer)
    if not found:
        name = getattr(offer, "__qualname__", None) or repr(offer)
        raise DefinitionError(
            f"{name}: expected a workflow, an activity, an object with activities or a module; "
            "decorate the function with @holdfast.workflow or @holdfast.activity"
        )
    return found


def _of_object(offer: object) -> list[Activity[..., Any]]:
    if isinstance(offer, type):
        declared = [name for name, value in _members(offer) if isinstance(value, Activity)]
        if declared:
            raise DefinitionError(
                f"class {offer.__qualname__}: register an object of it, such as {offer.__name__}(...)"
            )
        return []
    return [value.bound_to(offer) for _, value in _members(type(offer)) if isinstance(value, Activity)]


def _members(kind: type) -> Iterable[tuple[str, Any]]:
    members: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        members |= vars(base)
    return members.items()


def _duplicate(kind: str, name: str, first: object, second: object) -> DefinitionError:
    return DefinitionError(
        f"{kind} {name!r} is declared twice: {first!r} and {second!r}; give one of them another name"
        + (", or a version" if kind == "workflow" else "")
    )
