"""`/holdfast.v1.Worker/Work`: one stream per worker. Reads frames, hands them to the worker, writes what gathered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import count
from typing import Final

from google.protobuf.message import DecodeError

from holdfast_kit.rpc.call import Call, ManyToMany, Methods
from holdfast_proto.v1 import worker_pb2 as pb
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.native.outbox import FRAME_BYTES_MAX, ITEMS_MAX
from holdfast_sidecar.api.native.worker import NativeWorker
from holdfast_sidecar.api.refusal import refusal
from holdfast_sidecar.core.errors import InvalidRequest

_log = logging.getLogger(__name__)

PROTOCOL: Final = 1
CAPABILITIES: Final = ("fused", "cancel", "heartbeat")
HELLO_TIMEOUT: Final = 30.0  # seconds for the first frame; a worker sends it with its first breath


class WorkerService:
    def __init__(
        self, host: Host, *, namespace: str, host_id: str, version: str, hello_timeout: float = HELLO_TIMEOUT
    ) -> None:
        self._host = host
        self._namespace = namespace
        self._host_id = host_id
        self._version = version
        self._hello_timeout = hello_timeout
        self._numbers = count(1)
        self._workers: set[NativeWorker] = set()
        self._is_draining = False

    def methods(self) -> Methods:
        return {"/holdfast.v1.Worker/Work": ManyToMany(self.work)}

    def drain(self) -> None:
        """Tells every worker that nothing new comes; they finish, hang up and connect elsewhere."""
        self._is_draining = True
        for worker in self._workers:
            worker.drain()
            worker.outbox.room(8).draining = True

    async def work(self, frames: AsyncIterator[bytes], call: Call) -> None:
        try:
            first = await self._first(frames)
        except InvalidRequest as error:
            raise refusal(error) from error
        no = self._refusal(first)
        if no is not None:
            _log.warning("refused a worker", extra={"reason": no.text})
            await call.write(pb.RawSidecarFrame(refusal=no).SerializeToString())
            return
        if self._is_draining:  # it was quick to come back: the next sidecar is not there yet
            await call.write(pb.RawSidecarFrame(draining=True).SerializeToString())
            return
        worker = NativeWorker(self._host, first.hello, number=next(self._numbers))
        worker.outbox.room(64).welcome.CopyFrom(self._welcome())
        _log.info("worker connected", extra={"worker": worker.id, "sdk": first.hello.sdk})
        self._workers.add(worker)
        self._host.pool.connect(worker)
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(worker, first, frames), name=f"worker {worker.id}")
                while (data := await worker.outbox.next()) is not None:
                    await call.write(data)
        finally:
            self._workers.discard(worker)
            self._host.pool.disconnect(worker)
            _log.info("worker disconnected", extra={"worker": worker.id})
        fault = reader.result()
        if fault is not None:
            raise refusal(fault)

    async def _first(self, frames: AsyncIterator[bytes]) -> pb.WorkerFrame:
        """Empty when the worker hangs up or says nothing for too long."""
        try:
            async with asyncio.timeout(self._hello_timeout):
                return _parsed(await anext(frames))
        except (TimeoutError, StopAsyncIteration):
            return pb.WorkerFrame()

    async def _read(
        self, worker: NativeWorker, first: pb.WorkerFrame, frames: AsyncIterator[bytes]
    ) -> Exception | None:
        """Until the worker hangs up; gives the fault that ends its stream before."""
        try:
            worker.take(first)
            async for data in frames:
                worker.take(_parsed(data))
        except Exception as error:  # noqa: BLE001 - the edge of the stream: who sent it is told
            return error
        finally:
            worker.outbox.close()
        return None

    def _refusal(self, first: pb.WorkerFrame) -> pb.WorkerRefusal | None:
        if not first.HasField("hello"):
            return pb.WorkerRefusal(code="HelloMissing", text="the first frame must carry a hello; update the SDK")
        hello = first.hello
        if hello.protocol != PROTOCOL:
            return pb.WorkerRefusal(
                code="ProtocolUnknown",
                text=f"worker {hello.worker_id!r} speaks protocol {hello.protocol}, this sidecar speaks {PROTOCOL}; "
                "use an SDK and a sidecar of the same release",
            )
        if hello.namespace and hello.namespace != self._namespace:
            return pb.WorkerRefusal(
                code="NamespaceUnknown",
                text=f"worker {hello.worker_id!r} wants namespace {hello.namespace!r}, this sidecar serves "
                f"{self._namespace!r}; check the worker's namespace and the sidecar's",
            )
        return None

    def _welcome(self) -> pb.WorkerWelcome:
        return pb.WorkerWelcome(
            protocol=PROTOCOL,
            namespace=self._namespace,
            host_id=self._host_id,
            sidecar=f"holdfast-sidecar/{self._version}",
            items_max=ITEMS_MAX,
            frame_bytes_max=2 * FRAME_BYTES_MAX,
            payload_bytes_max=self._host.limits.payload_bytes_max,
            capabilities=CAPABILITIES,
        )


def _parsed(data: bytes) -> pb.WorkerFrame:
    try:
        return pb.WorkerFrame.FromString(data)
    except DecodeError as error:
        raise InvalidRequest(
            f"frame: expected an encoded WorkerFrame, found {len(data)} bytes of another form; use the SDK"
        ) from error
