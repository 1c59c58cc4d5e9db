"""Errors over HTTP: one JSON shape, on every route, for every fault."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from typing import Final, TypeAlias

import msgspec
from aiohttp import web

from holdfast_sidecar.api.status import answer_to
from holdfast_sidecar.core.errors import HoldfastError, Kind

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON: Final = "application/json"
RETRY_AFTER: Final = "1"  # seconds: what is busy or moving is usually there again by then
_RETRIABLE: Final = frozenset({Kind.EXHAUSTED, Kind.UNAVAILABLE})
_NAMES: Final = {401: "Unauthenticated", 404: "RouteNotFound", 405: "MethodNotAllowed", 413: "PayloadTooLarge"}


def json_response(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type=JSON, headers=headers)


def error_response(
    *, status: int, code: str, message: str, details: Sequence[object] = (), headers: dict[str, str] | None = None
) -> web.Response:
    body = {"errorCode": code, "message": message, "details": list(details)}
    return json_response(body, status=status, headers=headers)


def retry_headers(error: Exception) -> dict[str, str]:
    is_retriable = isinstance(error, HoldfastError) and error.kind in _RETRIABLE
    return {"Retry-After": RETRY_AFTER} if is_retriable else {}


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The edge: whatever a handler raises becomes an answer with a name."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _http_error(request, error)
    except Exception as error:  # noqa: BLE001 - one call's fault is that call's answer
        answer = answer_to(error)
        return error_response(status=answer.http, code=answer.name, message=answer.text, headers=retry_headers(error))


def _http_error(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    name = _NAMES.get(error.status, type(error).__name__.removeprefix("HTTP"))
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return error_response(status=error.status, code=name, message=_http_text(request, error), headers=headers)


def _http_text(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPNotFound):
        return f"{request.method} {request.path}: no such route{_near(request)}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return f"{request.path}: expected {allowed}, found {request.method}"
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return f"request body: {error.text}; send less, or raise request_bytes_max"
    return error.text or error.reason


def _near(request: web.Request) -> str:
    routes = {resource.canonical for resource in request.app.router.resources()}
    near = get_close_matches(request.path, sorted(routes), 1, 0.5)
    return f"; did you mean {near[0]}? All of them stand in /api/v1/openapi.json" if near else ""
