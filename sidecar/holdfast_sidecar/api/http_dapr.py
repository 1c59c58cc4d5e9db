"""The Dapr workflow API over HTTP: three groups of the same routes, with the codes and bodies that its callers know.

`{component}` may be anything: there is one engine. Differences from Dapr are additions: `?poll=true`, and `details`
in error bodies with the name of the cause.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from holdfast_sidecar.actors.engine import Engine, StartRequest
from holdfast_sidecar.api.http_errors import RETRY_AFTER, Handler, error_response, json_response, retry_headers
from holdfast_sidecar.api.http_input import json_body, raw_text, text_body, trace_of
from holdfast_sidecar.api.http_json import ends_of, rfc3339
from holdfast_sidecar.api.status import answer_to
from holdfast_sidecar.core.errors import (
    HoldfastError,
    InstanceNotFound,
    InvalidInstanceId,
    Kind,
    PayloadTooLarge,
)
from holdfast_sidecar.core.state import View

GROUPS: Final = ("/v1.0", "/v1.0-beta1", "/v1.0-alpha1")
ID_LENGTH_MAX: Final = 64
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_PART: Final = "[^/]*"  # an empty part gets the error that names it, not "no such route"


class DaprError(Exception):
    """A fault of the request that Dapr has a code for."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AlphaStart(msgspec.Struct):
    """The body of a start as the first alpha had it."""

    input: msgspec.Raw = msgspec.Raw(b"")


class DaprWorkflows:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def routes(self) -> list[web.RouteDef]:
        return [route for group in GROUPS for route in (*self._routes(group), *self._first_alpha(group))]

    def _routes(self, group: str) -> list[web.RouteDef]:
        one = f"{group}/workflows/{{component:{_PART}}}/{{instance:{_PART}}}"
        posts: dict[str, tuple[str, Handler]] = {
            f"{group}/workflows/{{component:{_PART}}}/{{name:{_PART}}}/start": ("ERR_START_WORKFLOW", self._start),
            f"{one}/raiseEvent/{{event:{_PART}}}": ("ERR_RAISE_EVENT_WORKFLOW", self._raise_event),
            f"{one}/pause": ("ERR_PAUSE_WORKFLOW", self._pause),
            f"{one}/resume": ("ERR_RESUME_WORKFLOW", self._resume),
            f"{one}/terminate": ("ERR_TERMINATE_WORKFLOW", self._terminate),
            f"{one}/purge": ("ERR_PURGE_WORKFLOW", self._purge),
        }
        routes = [web.post(path, _guarded(code, handler)) for path, (code, handler) in posts.items()]
        return [*routes, web.get(one, _guarded("ERR_GET_WORKFLOW", self._get))]

    def _first_alpha(self, group: str) -> list[web.RouteDef]:
        """The shape of the very first release: the name stands in every path, the input in a JSON body."""
        if not group.endswith("alpha1"):
            return []
        one = f"{group}/workflows/{{component:{_PART}}}/{{name:{_PART}}}/{{instance:{_PART}}}"
        return [
            web.post(f"{one}/start", _guarded("ERR_START_WORKFLOW", self._start_first_alpha)),
            web.get(one, _guarded("ERR_GET_WORKFLOW", self._get_first_alpha)),
        ]

    async def _start(self, request: web.Request) -> web.StreamResponse:
        given = request.query.get("instanceID", "")
        instance_id = await self._started(request, given, await text_body(request, "workflow input"))
        return json_response({"instanceID": instance_id}, status=202, headers=_poll_headers(request, instance_id))

    async def _start_first_alpha(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, AlphaStart)
        given = _part(request, "instance", "ERR_INSTANCE_ID_PROVIDED_MISSING", "an instance id")
        instance_id = await self._started(request, given, raw_text(body.input, "input"))
        answer = {"instance_id": instance_id, "WFInfo": {"instance_id": instance_id}}
        return json_response(answer, status=202, headers=_poll_headers(request, instance_id))

    async def _started(self, request: web.Request, given: str, text: str | None) -> str:
        _component(request)
        name = _part(request, "name", "ERR_WORKFLOW_NAME_MISSING", "a workflow name")
        _check_new_id(given)
        start = StartRequest(name=name, instance_id=given, input=text, trace=trace_of(request))
        return await self._engine.start(start)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """200 as Dapr does; with `?poll=true` 202 until the end, for callers that poll by status."""
        instance_id = _instance(request)
        view = await self._viewed(instance_id)
        is_polled = request.query.get("poll", "").lower() in ("true", "1")
        is_running = is_polled and not view.record.status.is_terminal
        headers = _poll_headers(request, instance_id) if is_running else None
        return json_response(_status_body(view), status=202 if is_running else 200, headers=headers)

    async def _get_first_alpha(self, request: web.Request) -> web.StreamResponse:
        view = await self._viewed(_instance(request))
        body = {
            "WFInfo": {"instance_id": view.record.id},
            "start_time": rfc3339(view.record.created_at),
            "metadata": {
                "dapr.workflow.name": view.record.name,
                "dapr.workflow.runtime_status": view.record.status.name,
                "dapr.workflow.last_updated": rfc3339(view.record.updated_at),
                **_properties(view),
            },
        }
        return json_response(body, status=202)

    async def _viewed(self, instance_id: str) -> View:
        view = await self._engine.get(instance_id)
        if view is None:
            raise InstanceNotFound(instance_id)
        return view

    async def _raise_event(self, request: web.Request) -> web.StreamResponse:
        instance_id = _instance(request)
        event = _part(request, "event", "ERR_WORKFLOW_EVENT_NAME_MISSING", "an event name")
        await self._engine.raise_event(instance_id, event, await text_body(request, "event payload"))
        return web.Response(status=202)

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        await self._engine.suspend(_instance(request))
        return web.Response(status=202)

    async def _resume(self, request: web.Request) -> web.StreamResponse:
        await self._engine.resume(_instance(request))
        return web.Response(status=202)

    async def _terminate(self, request: web.Request) -> web.StreamResponse:
        await self._engine.terminate(_instance(request), recurse=True)
        return web.Response(status=202)

    async def _purge(self, request: web.Request) -> web.StreamResponse:
        instance_id = _instance(request)
        if not (await self._engine.purge(instance_id, recurse=True)).count:
            raise InstanceNotFound(instance_id)
        return web.Response(status=202)


def _guarded(code: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Handler:
    """Dapr answers a failed operation with the operation's own code, and 500 where the request itself is fine."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except DaprError as error:
            return error_response(status=400, code=error.code, message=str(error))
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: one call's fault is that call's answer
            return _failed(code, error)

    return guarded


def _failed(code: str, error: Exception) -> web.Response:
    answer = answer_to(error)
    status = 500
    match error:
        case InstanceNotFound():
            status, code = 404, "ERR_INSTANCE_ID_NOT_FOUND"
        case InvalidInstanceId():
            status, code = 400, "ERR_INSTANCE_ID_INVALID"
        case PayloadTooLarge():
            status = 413
        case HoldfastError(kind=Kind.INVALID):
            status = 400
        case _:
            pass
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": answer.name,
        "domain": "holdfast",
    }
    return error_response(status=status, code=code, message=answer.text, details=[detail], headers=retry_headers(error))


def _component(request: web.Request) -> None:
    _part(request, "component", "ERR_WORKFLOW_COMPONENT_MISSING", "a workflow component (any name will do)")


def _instance(request: web.Request) -> str:
    _component(request)
    return _part(request, "instance", "ERR_INSTANCE_ID_PROVIDED_MISSING", "an instance id")


def _part(request: web.Request, part: str, code: str, expected: str) -> str:
    value = request.match_info[part]
    if not value:
        raise DaprError(code, f"{request.path}: expected {expected} in the path, found none")
    return value


def _check_new_id(instance_id: str) -> None:
    """Stricter than the engine: what Dapr takes over HTTP. Ids made elsewhere can still be read and ended here."""
    if len(instance_id) > ID_LENGTH_MAX:
        raise DaprError(
            "ERR_INSTANCE_ID_TOO_LONG",
            f"instance id {instance_id[:24]!r}…: expected at most {ID_LENGTH_MAX} characters, found {len(instance_id)}",
        )
    if instance_id and not _ID.fullmatch(instance_id):
        raise DaprError(
            "ERR_INSTANCE_ID_INVALID", f"instance id {instance_id!r}: expected only letters, digits, '_' and '-'"
        )


def _poll_headers(request: web.Request, instance_id: str) -> dict[str, str]:
    group = request.path.split("/", 2)[1]
    component = quote(request.match_info["component"], safe="")
    location = f"/{group}/workflows/{component}/{quote(instance_id, safe='')}?poll=true"
    return {"Location": location, "Retry-After": RETRY_AFTER}


def _status_body(view: View) -> dict[str, object]:
    record = view.record
    return {
        "instanceID": record.id,
        "workflowName": record.name,
        "createdAt": rfc3339(record.created_at),
        "lastUpdatedAt": rfc3339(record.updated_at),
        "runtimeStatus": record.status.name,
        "properties": _properties(view),
    }


def _properties(view: View) -> dict[str, str]:
    start, end = ends_of(view)
    failure = end.failure if end else None
    values = {
        "dapr.workflow.input": start.input if start else None,
        "dapr.workflow.output": end.result if end and not failure else None,
        "dapr.workflow.custom_status": view.custom_status,
        "dapr.workflow.failure.error_type": failure.kind if failure else None,
        "dapr.workflow.failure.error_message": failure.message if failure else None,
        "dapr.workflow.failure.stack_trace": failure.stack if failure else None,
    }
    return {name: value for name, value in values.items() if value}
