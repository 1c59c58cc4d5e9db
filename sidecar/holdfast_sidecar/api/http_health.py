"""Whether the sidecar lives, whether it can work, what it is, and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.http_errors import error_response, json_response
from holdfast_sidecar.core.errors import HoldfastError
from holdfast_sidecar.core.state import Filter

PROBE_TIMEOUT: Final = 2.0  # seconds; probes of orchestrators give up after about as long
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class About(NamedTuple):
    """What the sidecar says of itself."""

    app_id: str
    namespace: str
    version: str
    store_kind: str


class Health:
    """`metrics` gives the text of a scrape."""

    def __init__(self, engine: Engine, host: Host, *, metrics: Callable[[], bytes], about: About) -> None:
        self._engine = engine
        self._host = host
        self._metrics = metrics
        self._about = about
        self.is_draining = False

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1.0/healthz", self._health),
            web.get("/v1.0/healthz/outbound", self._outbound),
            web.get("/v1.0/metadata", self._metadata),
            web.get("/metrics", self._scrape),
        ]

    async def _health(self, request: web.Request) -> web.StreamResponse:
        if self.is_draining:
            return error_response(status=503, code="ERR_HEALTH_NOT_READY", message="the sidecar is shutting down")
        return web.Response(status=204)

    async def _outbound(self, request: web.Request) -> web.StreamResponse:
        problem = await self._problem()
        if problem:
            return error_response(status=503, code="ERR_OUTBOUND_HEALTH_NOT_READY", message=problem)
        return web.Response(status=204)

    async def _problem(self) -> str:
        """Why this sidecar cannot work; empty when it can."""
        if self.is_draining:
            return "the sidecar is shutting down"
        if not self._host.owned:
            return "the sidecar owns no partition; another one does, or placement has not answered yet"
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await self._engine.query(Filter(), limit=1)
        except TimeoutError:
            return f"the store did not answer within {PROBE_TIMEOUT:g} s"
        except HoldfastError as error:
            return str(error)
        return ""

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        host = self._host
        about = self._about
        body = {
            "id": about.app_id,
            "runtimeVersion": about.version,
            "namespace": about.namespace,
            "workflows": {"connectedWorkers": len(host.pool.workers)},
            "components": [{"name": "holdfast", "type": f"state.{about.store_kind}", "capabilities": ["ACTOR"]}],
            "partitions": {"owned": len(host.owned), "total": host.partitions},
        }
        return json_response(body)

    async def _scrape(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})
