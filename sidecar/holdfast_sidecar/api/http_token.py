"""The token check of the HTTP server."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from holdfast_sidecar.api.http_errors import Handler, error_response
from holdfast_sidecar.api.token import shows

_OPEN: Final = frozenset({"/v1.0/healthz", "/v1.0/healthz/outbound"})  # probes of orchestrators carry no secrets


def token_check(token: str) -> Middleware:
    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.path in _OPEN or shows(headers, token):
            return await handler(request)
        return error_response(
            status=401,
            code="ERR_UNAUTHENTICATED",
            message="expected the sidecar's API token in the header dapr-api-token or Authorization: Bearer",
            headers={"WWW-Authenticate": "Bearer"},
        )

    return checked
