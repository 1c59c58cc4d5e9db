"""A web app without a loop, as in Django and Flask; its worker is a process: `python -m examples.web_sync 8081`

POST /orders {"item": …, "amount": …, "ledger": …}   starts a checkout
GET  /orders/ID                                      how far it is

The client is made once per process, opens with its first call, and serves all threads.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import make_server

import msgspec

import holdfast
from examples.checkout.workflows import Order, checkout

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

CLIENT = holdfast.SyncClient()


def order(body: bytes) -> tuple[str, Any]:
    handle = CLIENT.start(checkout, msgspec.json.decode(body, type=Order), timeout=5)
    return "202 Accepted", {"id": handle.id}


def show(id: str) -> tuple[str, Any]:
    try:
        instance = CLIENT.get(id, timeout=5)
    except holdfast.InstanceNotFound as error:
        return "404 Not Found", {"error": str(error)}
    return "200 OK", {"status": instance.status.name, "stage": instance.custom_status, "result": instance.output}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if method == "POST" and path == "/orders":
        status, answer = order(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    elif method == "GET" and path.startswith("/orders/"):
        status, answer = show(path.removeprefix("/orders/"))
    else:
        status, answer = "404 Not Found", {"error": path}
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]), app) as server:
        server.serve_forever()
