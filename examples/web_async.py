"""A web app that is its own worker, with aiohttp or any other asyncio framework: `python -m examples.web_async 8080`.

POST /orders {"item": …, "amount": …, "ledger": …}   starts a checkout
POST /orders/ID/shipped {"tracking": …}              tells it that the parcel is on its way
GET  /orders/ID                                      how far it is
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiohttp import web

import holdfast
from examples.checkout import workflows
from examples.checkout.workflows import Order, Shipment, checkout

CLIENT = web.AppKey("client", holdfast.Client)


async def running(app: web.Application) -> AsyncIterator[None]:
    """As long as the app runs: one client, and a worker beside it."""
    async with holdfast.Client() as client, holdfast.Worker(workflows):
        app[CLIENT] = client
        yield


async def order(request: web.Request) -> web.Response:
    wanted = msgspec.convert(await request.json(), Order)
    handle = await request.app[CLIENT].start(checkout, wanted)
    return web.json_response({"id": handle.id}, status=202)


async def shipped(request: web.Request) -> web.Response:
    shipment = msgspec.convert(await request.json(), Shipment)
    await request.app[CLIENT].handle(request.match_info["id"]).send("shipped", shipment)
    return web.json_response({})


async def show(request: web.Request) -> web.Response:
    try:
        instance = await request.app[CLIENT].get(request.match_info["id"])
    except holdfast.InstanceNotFound as error:
        return web.json_response({"error": str(error)}, status=404)
    found: dict[str, Any] = {"status": instance.status.name, "stage": instance.custom_status, "result": instance.output}
    return web.json_response(found)


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(running)
    app.router.add_post("/orders", order)
    app.router.add_post("/orders/{id}/shipped", shipped)
    app.router.add_get("/orders/{id}", show)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]))
