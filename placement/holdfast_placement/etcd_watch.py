"""Watching a prefix: resumed where it stopped, joined from fragments, and never silently dead."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import grpc

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_placement.etcd import Etcd, StreamCall, prefix_end
from holdfast_placement.etcd_errors import Compacted, EtcdUnavailable, HistoryRewound, WatchCanceled, mapped
from holdfast_placement.groups import ungrouped
from holdfast_proto.etcd import etcd_pb2 as pb

WatchCall = StreamCall[pb.WatchResponse]
_log = logging.getLogger(__name__)
_METHOD = "/etcdserverpb.Watch/Watch"
_ASK_EVERY = timedelta(seconds=1)  # a member that is cut off looks like one with nothing to say, so ask
_SILENCE_MAX = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of whole revisions, in order; `revision` is that of the last one, or one at which nothing had changed."""

    events: tuple[pb.Event, ...]
    revision: int


class Position:
    """Where a watch stands and what it makes of an answer. Pure: answers in, batches out, errors by name."""

    def __init__(self, start: int) -> None:
        self.next_revision = start
        self._pieces: list[pb.Event] = []

    def request(self, prefix: bytes) -> pb.WatchCreateRequest:
        """What to ask a new stream for. Pieces that came over the old one come again as a whole."""
        self._pieces.clear()
        return pb.WatchCreateRequest(
            key=prefix,
            range_end=prefix_end(prefix),
            start_revision=self.next_revision,
            progress_notify=True,
            fragment=True,
        )

    def take(self, answer: pb.WatchResponse) -> Batch | None:
        if answer.compact_revision:
            raise Compacted(self.next_revision, answer.compact_revision)
        if answer.canceled:
            raise WatchCanceled(f"etcd watch: canceled by the server: {answer.cancel_reason or 'no reason given'}")
        if answer.header.revision < self.next_revision - 1:
            raise HistoryRewound(self.next_revision, answer.header.revision)
        self._pieces.extend(answer.events)
        if answer.fragment:
            return None
        return self._events() if self._pieces else self._progress(answer)

    def _events(self) -> Batch:
        """Resume after the last event, not after the header's revision: a watch that catches up was told less."""
        events, self._pieces = tuple(self._pieces), []
        self.next_revision = events[-1].kv.mod_revision + 1
        return Batch(events, events[-1].kv.mod_revision)

    def _progress(self, answer: pb.WatchResponse) -> Batch | None:
        """Only etcd's own notice tells where this watch is; answers to our asking (id -1) can run ahead of events."""
        if answer.created or answer.watch_id < 0:
            return None
        self.next_revision = answer.header.revision + 1
        return Batch((), answer.header.revision)


class Watch:
    """`run` ends only by raising `Compacted`, `WatchCanceled`, `HistoryRewound` or `EtcdDenied`."""

    def __init__(
        self,
        etcd: Etcd,
        prefix: bytes,
        *,
        start: int,
        clock: Clock,
        backoff: Backoff,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._etcd = etcd
        self._prefix = prefix
        self._position = Position(start)
        self._clock = clock
        self._backoff = backoff
        self._beat = beat

    async def run(self, deliver: Callable[[Batch], None]) -> NoReturn:
        while True:
            self._beat()
            problem = await self._one_stream(deliver)
            _log.warning(
                "watch interrupted",
                extra={"reason": str(problem), "resume_revision": self._position.next_revision},
            )
            await self._clock.sleep(self._backoff.next())

    async def _one_stream(self, deliver: Callable[[Batch], None]) -> EtcdUnavailable:
        endpoint = self._etcd.endpoint
        try:
            endpoint, call = await self._etcd.stream(_METHOD, pb.WatchResponse)
            await self._follow(call, deliver)
        except grpc.aio.AioRpcError as error:
            ours = mapped(error, endpoint)
        except EtcdUnavailable as error:
            ours = error
        else:
            ours = EtcdUnavailable(f"etcd {endpoint}: the watch ended")
        self._etcd.failed(endpoint)
        if isinstance(ours, EtcdUnavailable):
            return ours
        raise ours

    async def _follow(self, call: WatchCall, deliver: Callable[[Batch], None]) -> None:
        create = self._position.request(self._prefix)
        try:
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    asking = group.create_task(self._ask(call, create))
                    await self._read(call, deliver)
                    asking.cancel()
        finally:
            call.cancel()

    async def _read(self, call: WatchCall, deliver: Callable[[Batch], None]) -> None:
        generation = self._etcd.generation
        while self._etcd.generation == generation:
            answer = await _next(call)
            if answer is None:
                return
            self._etcd.heard()
            self._beat()
            self._backoff.reset()
            batch = self._position.take(answer)
            if batch is not None:
                deliver(batch)

    async def _ask(self, call: WatchCall, create: pb.WatchCreateRequest) -> None:
        try:
            await call.write(pb.WatchRequest(create_request=create))
            while True:
                await self._clock.sleep(_ASK_EVERY.total_seconds())
                await call.write(pb.WatchRequest(progress_request=pb.WatchProgressRequest()))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended, and reading tells why


async def _next(call: WatchCall) -> pb.WatchResponse | None:
    """None at the end of the stream."""
    try:
        async with asyncio.timeout(_SILENCE_MAX.total_seconds()):
            answer = await call.read()
    except TimeoutError as error:
        raise EtcdUnavailable(f"etcd watch: silent for {_SILENCE_MAX.total_seconds():g} s") from error
    return answer if isinstance(answer, pb.WatchResponse) else None
