"""The port that peers come to. It is apart from the apps': who is let in here has shown a certificate."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import grpc

from holdfast_sidecar.startup import cannot_listen, check_port

CLOSE_LIMIT: Final = 1.0  # seconds that streams may still take when the server closes

SERVER_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second sidecar on the port shall fail, not take half of the connections
    ("grpc.max_receive_message_length", -1),  # our limits count payloads and events, and have named errors
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
    ("grpc.http2.max_ping_strikes", 0),
)
CHANNEL_OPTIONS: Final = (
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


@asynccontextmanager
async def peers_served(
    handler: grpc.GenericRpcHandler, *, address: str, port: int, credentials: grpc.ServerCredentials | None
) -> AsyncGenerator[None]:
    """Unstartable when the port is taken."""
    check_port("peer", address, port)
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((handler,))
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        _ = server.add_insecure_port(target) if credentials is None else server.add_secure_port(target, credentials)
    except RuntimeError as error:
        raise cannot_listen("peer", address, port) from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(CLOSE_LIMIT)
