"""`/TaskHubSidecarService/*`: the service that Durable Task and Dapr workflow clients speak, both families on one path.

Handlers get raw bytes: which schema reads them depends on who sent them. Each decodes, calls one method, encodes.
Entities and task hubs are not served; gRPC answers UNIMPLEMENTED for what is not registered here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

from holdfast_kit.rpc.call import Call, Method, Methods, OneToMany, OneToOne, Reply, Told, ToldToOne, Unary
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.durabletask.completions import Completions
from holdfast_sidecar.api.durabletask.dialect import Stream, open_stream
from holdfast_sidecar.api.durabletask.management import HISTORY_CHUNK, Management
from holdfast_sidecar.api.durabletask.past import Pasts
from holdfast_sidecar.api.durabletask.worker import DurableTaskWorker
from holdfast_sidecar.api.refusal import refusal
from holdfast_sidecar.core.errors import Unavailable

_log = logging.getLogger(__name__)

SERVICE: Final = "TaskHubSidecarService"
PATIENT: Final = frozenset({"CompleteOrchestratorTask", "CompleteWorkflowTask"})  # workers go on with what the turn
# brings, not with the answer, which leaves together with that
Answering = Callable[[bytes], Awaitable[bytes]]


class DurableTaskService:
    def __init__(self, host: Host, engine: Engine) -> None:
        self._host = host
        self._management = Management(engine, host.clock)
        self._completions = Completions(host)
        self._numbers = count(1)
        self._workers: set[DurableTaskWorker] = set()
        self._pasts = Pasts()
        self._drains = False

    def methods(self) -> Methods:
        asked = {**self._management.calls(), "Hello": _hello}
        methods: dict[str, Method] = {name: OneToOne(_named(answering)) for name, answering in asked.items()}
        for name, telling in self._completions.calls().items():
            methods[name] = ToldToOne(_told(telling), can_wait=name in PATIENT)
        methods["GetWorkItems"] = OneToMany(self.work_items)
        methods["StreamInstanceHistory"] = OneToMany(self.stream_history)
        return {f"/{SERVICE}/{name}": method for name, method in methods.items()}

    def drain(self) -> None:
        """Ends the streams cleanly, which makes every client connect again, and takes no others."""
        self._drains = True
        for worker in self._workers:
            worker.close()

    async def work_items(self, request: bytes, call: Call) -> None:
        try:
            worker = self._new_worker(open_stream(request, metadata=call.metadata), call.peer)
        except Exception as error:
            raise refusal(error) from error
        stream = worker.stream
        _log.info("worker connected", extra={"worker": worker.id, "dialect": stream.dialect.name})
        self._workers.add(worker)
        self._host.pool.connect(worker)
        try:
            call.begin()
            while (frame := await worker.next()) is not None:
                await call.write(frame)
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

    async def stream_history(self, request: bytes, call: Call) -> None:
        try:
            rows = await self._management.history_rows(request)
        except Exception as error:
            raise refusal(error) from error
        for first in range(0, len(rows), HISTORY_CHUNK):
            await call.write(self._management.history_chunk(rows[first : first + HISTORY_CHUNK]))


async def _hello(_: bytes) -> bytes:
    return b""


def _named(answering: Answering) -> Unary:
    """Errors leave with the status and the text of the one table."""

    async def handle(request: bytes, _: Call) -> bytes:
        try:
            return await answering(request)
        except Exception as error:
            raise refusal(error) from error

    return handle


def _told(telling: Told) -> Told:
    """The same for those that answer by themselves."""

    def handle(request: bytes, reply: Reply) -> None:
        try:
            telling(request, reply)
        except Exception as error:
            raise refusal(error) from error

    return handle
