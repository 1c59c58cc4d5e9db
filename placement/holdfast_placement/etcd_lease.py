"""Keeping leases alive: all of a process's leases over one stream."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

import grpc

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_placement.etcd import Etcd, StreamCall
from holdfast_placement.etcd_errors import EtcdDenied, EtcdUnavailable, LeaseLost, mapped
from holdfast_placement.groups import ungrouped
from holdfast_proto.etcd import etcd_pb2 as pb

LeaseCall = StreamCall[pb.LeaseKeepAliveResponse]
_log = logging.getLogger(__name__)
_METHOD = "/etcdserverpb.Lease/LeaseKeepAlive"
_BEAT_S = 5.0


class LeaseKeeper:
    """`keep` asks, `run` talks to etcd. A question survives a broken stream and is asked again on the next one."""

    def __init__(
        self,
        etcd: Etcd,
        *,
        clock: Clock,
        backoff: Backoff,
        answer_timeout: timedelta,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._etcd = etcd
        self._clock = clock
        self._backoff = backoff
        self._beat = beat
        self._answer_s = answer_timeout.total_seconds()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._unsent: list[int] = []
        self._wake = asyncio.Event()
        self._silence: asyncio.Timeout | None = None  # runs while etcd owes an answer

    async def keep(self, lease: int, *, within: timedelta) -> timedelta:
        """Extend the lease; returns its new time to live.

        Raises `LeaseLost` when it has run out, `EtcdUnavailable` when etcd did not answer within the given time.
        """
        answer = self._waiting.get(lease)
        if answer is None:
            answer = self._waiting[lease] = asyncio.get_running_loop().create_future()
            self._unsent.append(lease)
            self._wake.set()
        try:
            async with asyncio.timeout(within.total_seconds()):
                ttl = await asyncio.shield(answer)
        except TimeoutError as error:
            raise EtcdUnavailable(f"etcd lease {lease:x}: no answer in {within.total_seconds():g} s") from error
        if ttl <= 0:
            raise LeaseLost(lease)
        return timedelta(seconds=ttl)

    async def run(self) -> None:
        """Until cancelled. Streams that break are opened again, on the next endpoint."""
        while True:
            self._beat()
            problem = await self._one_stream()
            _log.warning("lease stream interrupted", extra={"reason": str(problem), "waiting": len(self._waiting)})
            await self._clock.sleep(self._backoff.next())

    async def _one_stream(self) -> Exception:
        endpoint = self._etcd.endpoint
        try:
            endpoint, call = await self._etcd.stream(_METHOD, pb.LeaseKeepAliveResponse)
            await self._talk(call)
        except grpc.aio.AioRpcError as error:
            self._etcd.failed(endpoint)
            return mapped(error, endpoint)
        except EtcdUnavailable as error:
            self._etcd.failed(endpoint)
            return error
        except EtcdDenied as error:
            return error
        return EtcdUnavailable(f"etcd {endpoint}: the lease stream ended")

    async def _talk(self, call: LeaseCall) -> None:
        self._unsent = list(self._waiting)
        self._wake.set()
        try:
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    writing = group.create_task(self._write(call))
                    await self._read(call)
                    writing.cancel()
        finally:
            call.cancel()

    async def _write(self, call: LeaseCall) -> None:
        try:
            while True:
                await self._woken()
                unsent, self._unsent = self._unsent, []
                for lease in unsent:
                    self._expect_answer()
                    await call.write(pb.LeaseKeepAliveRequest(id=lease))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended, and reading tells why

    async def _woken(self) -> None:
        while not self._wake.is_set():
            self._beat()
            try:
                async with asyncio.timeout(_BEAT_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
        self._wake.clear()

    async def _read(self, call: LeaseCall) -> None:
        generation = self._etcd.generation
        try:
            async with asyncio.timeout(None) as self._silence:
                while self._etcd.generation == generation:
                    answer = await call.read()
                    if not isinstance(answer, pb.LeaseKeepAliveResponse):
                        return
                    self._take(answer)
        except TimeoutError as error:
            raise EtcdUnavailable(f"etcd lease stream: silent for {self._answer_s:g} s") from error
        finally:
            self._silence = None

    def _take(self, answer: pb.LeaseKeepAliveResponse) -> None:
        self._etcd.heard()
        self._backoff.reset()
        waiting = self._waiting.pop(answer.id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.ttl)
        if self._silence is not None:
            self._silence.reschedule(None)
        if self._waiting:
            self._expect_answer()

    def _expect_answer(self) -> None:
        """From the oldest question on; etcd answers them in order."""
        if self._silence is not None and self._silence.when() is None:
            self._silence.reschedule(asyncio.get_running_loop().time() + self._answer_s)
