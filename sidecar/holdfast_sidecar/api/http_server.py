"""The HTTP server in the sidecar's own loop: puts the groups of routes together and listens."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from holdfast_sidecar.api.http_errors import errors_as_json, json_response
from holdfast_sidecar.api.http_token import token_check
from holdfast_sidecar.api.openapi import openapi

CLOSE_LIMIT: Final = 1.0  # seconds that requests may still take when the server closes


def make_app(
    routes: Iterable[web.RouteDef], *, version: str, request_bytes_max: int, api_token: str = ""
) -> web.Application:
    checks = [token_check(api_token)] if api_token else []
    app = web.Application(middlewares=[errors_as_json, *checks], client_max_size=request_bytes_max)
    document = openapi(version)

    async def describe(_: web.Request) -> web.Response:
        return json_response(document)

    app.add_routes([*routes, web.get("/api/v1/openapi.json", describe)])
    return app


@asynccontextmanager
async def serving(app: web.Application, listener: socket.socket) -> AsyncGenerator[None]:
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_LIMIT)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
