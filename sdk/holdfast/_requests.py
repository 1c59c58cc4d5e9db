"""Starts as messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypedDict, cast

from holdfast._connection import Connection
from holdfast._signature import encode_arguments
from holdfast._state import nanoseconds
from holdfast.authoring import Workflow
from holdfast.errors import UndeclaredError
from holdfast_proto.history import Status
from holdfast_proto.v1 import client_pb2 as pb


class StartOptions(TypedDict, total=False):
    """`id`: made up if left out. `at`, `after`: not before then. `version`, `tags`: labels of the instance.

    `if_exists`, for an id that a running instance has: "error" raises InstanceExists, "keep" gives that one, "replace"
    ends it and starts anew. An instance that has ended makes room, except with "keep".
    """

    id: str
    version: str
    tags: dict[str, str]
    at: datetime
    after: timedelta | float
    if_exists: Literal["error", "keep", "replace"]


_EVERY: Final = tuple(map(int, Status))
_OPTIONS: Final = StartOptions.__annotations__.keys()


def start_request(
    workflow: Any, input: tuple[Any, ...], options: StartOptions, *, connection: Connection
) -> tuple[pb.StartRequest, Any]:
    """The message, and the type of the workflow's result."""
    unknown = options.keys() - _OPTIONS
    if unknown:
        raise TypeError(f"start: unknown option {min(unknown)!r}; there are {', '.join(sorted(_OPTIONS))}")
    name, payload, returns, version = _target(workflow, input)
    request = pb.StartRequest(
        name=name,
        input=payload,
        instance_id=options.get("id", ""),
        execution_id=connection.ids.uuid(),
        version=options.get("version", version),
        tags=options.get("tags"),
        scheduled_at=nanoseconds(options.get("at"), options.get("after"), now=connection.clock.now_ns()),
    )
    _reuse(request, options.get("if_exists", "error"))
    return request, returns


def _target(workflow: Any, input: tuple[Any, ...]) -> tuple[str, str | None, Any, str | None]:
    if isinstance(workflow, Workflow):
        declared = cast("Workflow[..., Any]", workflow)
        return declared.name, declared.signature.encode(input), declared.signature.result, declared.version
    if isinstance(workflow, str):
        return workflow, encode_arguments(input, what=f"{workflow}()"), Any, None
    name = getattr(workflow, "__qualname__", None) or repr(workflow)
    raise UndeclaredError(
        f"start: {name} is not declared; decorate it with @holdfast.workflow, or pass its name as a string"
    )


def _reuse(request: pb.StartRequest, if_exists: str) -> None:
    match if_exists:
        case "error":
            return
        case "keep":
            request.reuse.kept.extend(_EVERY)
        case "replace":
            request.reuse.replaceable.extend(_EVERY)
        case other:
            raise ValueError(f'if_exists: expected "error", "keep" or "replace", found {other!r}')
