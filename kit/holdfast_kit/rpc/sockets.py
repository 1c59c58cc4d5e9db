"""What both ends set on their sockets."""

from __future__ import annotations

import asyncio
import socket


def set_nodelay(transport: asyncio.Transport) -> None:
    """What is written goes out now: we put together what belongs together."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
