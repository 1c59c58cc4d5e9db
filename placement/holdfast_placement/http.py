"""The HTTP side, read-only: page, state as JSON, metrics, health."""

from collections.abc import Callable

from aiohttp import web

from holdfast_placement.health import Pulse
from holdfast_placement.page import CONTENT_SECURITY_POLICY, render
from holdfast_placement.state import State, as_json

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(state: Callable[[], State], pulse: Pulse, metrics: Callable[[], bytes]) -> web.Application:
    app = web.Application()
    app.on_response_prepare.append(_protect)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=render(state()), content_type="text/html")

    async def json(_: web.Request) -> web.Response:
        return web.json_response(as_json(state()))

    async def exposed(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _METRICS_TYPE})

    async def healthz(_: web.Request) -> web.Response:
        """503 when an agent has stopped going round. A busy process answers late, but it answers with 200."""
        wedged = {name: round(age, 1) for name, age in pulse.wedged().items()}
        facts = {"status": "wedged" if wedged else "ok", "wedged": wedged, "loop_lag_ms": state().loop_lag_s * 1000}
        return web.json_response(facts, status=503 if wedged else 200)

    async def readyz(_: web.Request) -> web.Response:
        """Ready once etcd was read; stays so while etcd is away, because members may come back to this replica."""
        now = state()
        facts = {"status": "ready" if now.is_loaded else "etcd not read yet", "etcd_silence_s": now.etcd_silence_s}
        return web.json_response(facts, status=200 if now.is_loaded else 503)

    app.add_routes(
        [
            web.get("/", page),
            web.get("/api/v1/state", json),
            web.get("/metrics", exposed),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    return app


async def _protect(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
