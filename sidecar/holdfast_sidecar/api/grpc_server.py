"""The gRPC server: its options, its token check, and the seam to the services that it carries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import grpc

from holdfast_sidecar.api.token import shows
from holdfast_sidecar.startup import cannot_listen, check_port

CLOSE_LIMIT: Final = 1.0  # seconds that calls may still take when the server closes

OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second sidecar on the port shall fail, not take half of the connections
    ("grpc.max_receive_message_length", -1),  # our limits count payloads and events, and have named errors
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),  # a frozen app must not keep its work: others may have it after 15 s
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # a ping that measures the line puts off the one above, by 60 s unless said
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # clients ping every 30 s, with calls or without
    ("grpc.http2.max_ping_strikes", 0),
)


PEER_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.keepalive_timeout_ms", 3_000),  # a peer that vanished without a word is noticed by placement first
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class GrpcService(Protocol):
    """One service of the server."""

    def handler(self) -> grpc.GenericRpcHandler: ...

    def drain(self) -> None:
        """Called once, when what was at workers is answered or the drain limit is over: tell clients to go
        elsewhere and end their streams cleanly. What is left a moment later is cut off."""
        ...


@asynccontextmanager
async def bound(
    *,
    address: str,
    port: int,
    api_token: str = "",
    what: str = "grpc",
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncGenerator[tuple[grpc.aio.Server, int]]:
    """A server on its port, not started: callers wait. Gives the port too; Unstartable when that one is taken."""
    check_port(what, address, port)
    checks = [TokenCheck(api_token)] if api_token else []
    server = grpc.aio.server(interceptors=checks, options=OPTIONS)
    host = f"[{address}]" if ":" in address else address
    try:
        yield server, _bind(server, f"{host}:{port}", credentials, failed=partial(cannot_listen, what, address, port))
    finally:
        await server.stop(CLOSE_LIMIT)


async def start(server: grpc.aio.Server, services: Iterable[GrpcService]) -> None:
    server.add_generic_rpc_handlers(tuple(service.handler() for service in services))
    await server.start()


def _bind(
    server: grpc.aio.Server, target: str, credentials: grpc.ServerCredentials | None, *, failed: Callable[[], Exception]
) -> int:
    try:
        return server.add_insecure_port(target) if credentials is None else server.add_secure_port(target, credentials)
    except RuntimeError as error:
        raise failed() from error


_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic only for type checkers
_Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]"


class TokenCheck(grpc.aio.ServerInterceptor):
    """Lets a call through when its metadata show the token."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._refusing: _Handler = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        metadata = dict(handler_call_details.invocation_metadata or ())
        shown = {key: value for key, value in metadata.items() if isinstance(value, str)}
        return await continuation(handler_call_details) if shows(shown, self._token) else self._refusing


async def _refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """A handler for streams both ways: it answers before anything is read, so it fits every method."""
    text = "expected the sidecar's API token in the metadata dapr-api-token or holdfast-api-token"
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, text)
