"""Where the sidecar is, and how to talk to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import grpc

from holdfast.errors import HoldfastError
from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import SystemClock
from holdfast_kit.ids import SystemIds

CLOCK: Final = SystemClock()
IDS: Final = SystemIds()

DEFAULT_ADDRESS: Final = "localhost:50001"
MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)


def sdk_name() -> str:
    try:
        return f"holdfast-python/{version('holdfast')}"
    except PackageNotFoundError:
        return "holdfast-python/unknown"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One sidecar. Without an address: HOLDFAST_ADDRESS, else localhost:50001."""

    address: str = ""
    namespace: str = ""
    token: str = field(default="", repr=False)

    @property
    def target(self) -> str:
        target = self.address or os.environ.get("HOLDFAST_ADDRESS", "") or DEFAULT_ADDRESS
        scheme, separator, rest = target.partition("://")
        if separator and scheme not in ("http", "grpc"):
            raise HoldfastError(f"address {target!r}: expected host:port, or http:// before it, found {scheme}://")
        host, _, port = (rest if separator else target).rpartition(":")
        if not host or not port.isdigit():
            raise HoldfastError(f"address {target!r}: expected host:port, such as {DEFAULT_ADDRESS}")
        return f"{host}:{port}"

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.target, options=_OPTIONS)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        token = self.token or os.environ.get("HOLDFAST_API_TOKEN", "")
        return (("holdfast-api-token", token),) if token else ()


def reconnecting() -> Backoff:
    return Backoff(IDS.random(), base=timedelta(milliseconds=100), cap=timedelta(seconds=5))


FATAL: Final = frozenset(
    {
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)
"""Statuses that trying again does not change; what they say is for a person."""
