"""The port that peers come to. It is apart from the apps': who is let in here has shown a certificate."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from holdfast_kit.tls import CertificateWatcher
from holdfast_sidecar.cluster.dialer import CONNECT_LIMIT
from holdfast_sidecar.cluster.wire import Broken, TcpWire, Wire, for_loop
from holdfast_sidecar.startup import cannot_listen, check_port

_log = logging.getLogger(__name__)


@asynccontextmanager
async def peers_served(
    accept: Callable[[Wire], Awaitable[None]], *, address: str, port: int, watcher: CertificateWatcher | None
) -> AsyncGenerator[None]:
    """Unstartable when the port is taken."""
    check_port("peer", address, port)
    group, guests = asyncio.TaskGroup(), set[asyncio.Task[None]]()

    def came(wire: TcpWire) -> None:
        if not server.is_serving():  # its handshake took longer than we lived
            return wire.close()
        guest = group.create_task(_serve(wire, accept), name="guest")
        guests.add(guest)
        guest.add_done_callback(guests.discard)

    tls = None if watcher is None else _newest(watcher)
    limit = None if watcher is None else CONNECT_LIMIT
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: for_loop(TcpWire(came)), address, port, ssl=tls, ssl_handshake_timeout=limit, start_serving=False
        )
    except OSError as error:
        raise cannot_listen("peer", address, port) from error
    async with group:
        await server.start_serving()
        try:
            yield
        finally:
            server.close()
            for guest in guests:
                guest.cancel()


def _newest(watcher: CertificateWatcher) -> ssl.SSLContext:
    """The port keeps the context that it was opened with; each handshake takes the newest instead."""

    def greeted(handshake: ssl.SSLObject, _name: str | None, _old: ssl.SSLContext) -> None:
        handshake.context = watcher.server_context()

    context = watcher.server_context()
    context.sni_callback = greeted
    return context


async def _serve(wire: TcpWire, accept: Callable[[Wire], Awaitable[None]]) -> None:
    try:
        await accept(wire)
    except Broken as error:
        _log.debug("a caller is gone", extra={"reason": str(error)})
    except Exception:  # noqa: BLE001 - a bug of ours costs one link, not the sidecar
        _log.exception("a link has failed; the peer calls again")
    finally:
        wire.close()
