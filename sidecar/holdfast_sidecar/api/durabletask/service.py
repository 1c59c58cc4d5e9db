"""`/TaskHubSidecarService/*`: the service that Durable Task and Dapr workflow clients speak, both families on one path.

Handlers get raw bytes: which schema reads them depends on who sent them. Each decodes, calls one method, encodes.
Entities and task hubs are not served; gRPC answers UNIMPLEMENTED for what is not registered here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Final

import grpc

from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.durabletask.completions import Completions
from holdfast_sidecar.api.durabletask.dialect import Stream, open_stream
from holdfast_sidecar.api.durabletask.management import HISTORY_CHUNK, Management
from holdfast_sidecar.api.durabletask.past import Pasts
from holdfast_sidecar.api.durabletask.worker import DurableTaskWorker
from holdfast_sidecar.api.refusal import refuse
from holdfast_sidecar.core.errors import Unavailable

_log = logging.getLogger(__name__)

SERVICE: Final = "TaskHubSidecarService"
Context = grpc.aio.ServicerContext[bytes, bytes]
Call = Callable[[bytes], Awaitable[bytes]]


class DurableTaskService:
    def __init__(self, host: Host, engine: Engine) -> None:
        self._host = host
        self._management = Management(engine, host.clock)
        self._completions = Completions(host)
        self._numbers = count(1)
        self._workers: set[DurableTaskWorker] = set()
        self._pasts = Pasts()
        self._drains = False

    def handler(self) -> grpc.GenericRpcHandler:
        unary = {**self._management.calls(), **self._completions.calls(), "Hello": _hello}
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(_named(call), None, None) for name, call in unary.items()
        }
        methods["GetWorkItems"] = grpc.unary_stream_rpc_method_handler(self.work_items, None, None)
        methods["StreamInstanceHistory"] = grpc.unary_stream_rpc_method_handler(self.stream_history, None, None)
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def drain(self) -> None:
        """Ends the streams cleanly, which makes every client connect again, and takes no others."""
        self._drains = True
        for worker in self._workers:
            worker.close()

    async def work_items(self, request: bytes, context: Context) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        try:
            worker = self._new_worker(open_stream(request, metadata=metadata), context.peer())
        except Exception as error:  # noqa: BLE001 - the edge of the call
            return await refuse(context, error)
        stream = worker.stream
        _log.info("worker connected", extra={"worker": worker.id, "dialect": stream.dialect.name})
        self._workers.add(worker)
        self._host.pool.connect(worker)
        try:
            await context.send_initial_metadata(())
            while (frame := await worker.next()) is not None:
                await context.write(frame)
        finally:
            self._workers.discard(worker)
            worker.close()
            self._host.pool.disconnect(worker)
            _log.info("worker disconnected", extra={"worker": worker.id})

    def _new_worker(self, stream: Stream, peer: str) -> DurableTaskWorker:
        if self._drains:
            raise Unavailable("this sidecar is shutting down; connect again")
        name = f"{stream.worker_id or peer}/{next(self._numbers)}"
        return DurableTaskWorker(name, stream, pasts=self._pasts, clock=self._host.clock)

    async def stream_history(self, request: bytes, context: Context) -> None:
        try:
            rows = await self._management.history_rows(request)
        except Exception as error:  # noqa: BLE001 - the edge of the call
            return await refuse(context, error)
        async for chunk in self._chunks(rows):
            await context.write(chunk)

    async def _chunks(self, rows: list[bytes]) -> AsyncIterator[bytes]:
        for first in range(0, len(rows), HISTORY_CHUNK):
            yield self._management.history_chunk(rows[first : first + HISTORY_CHUNK])


async def _hello(_: bytes) -> bytes:
    return b""


def _named(call: Call) -> Callable[[bytes, Context], Awaitable[bytes]]:
    """Errors leave with the status and the text of the one table."""

    async def handle(request: bytes, context: Context) -> bytes:
        try:
            return await call(request)
        except Exception as error:
            await refuse(context, error)
            raise

    return handle
