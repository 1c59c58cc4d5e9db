"""Calls peers: opens the connection that a wire is one end of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from holdfast_kit.tls import CertificateWatcher
from holdfast_sidecar.cluster.wire import Broken, TcpWire, Wire, for_loop

CONNECT_LIMIT: Final = 5.0  # seconds, with the handshake


class Dialer:
    """In the clear, or with certificates on both sides and by the name that theirs must have."""

    def __init__(self, watcher: CertificateWatcher | None, *, server_name: str) -> None:
        self._watcher = watcher
        self._server_name = server_name

    @asynccontextmanager
    async def __call__(self, address: str) -> AsyncGenerator[Wire]:
        host, _, port = address.rpartition(":")
        tls, name = None, None
        if self._watcher is not None:
            tls, name = self._watcher.client_context(), self._server_name
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                wire = TcpWire()
                await loop.create_connection(
                    lambda: for_loop(wire), host.strip("[]"), int(port), ssl=tls, server_hostname=name
                )
        except TimeoutError as error:
            raise Broken(f"{address}: no answer within {CONNECT_LIMIT:g} s") from error
        except (OSError, ValueError) as error:
            raise Broken(f"{address}: {error}") from error
        try:
            yield wire
        finally:
            wire.close()
