"""The streams between sidecars: one per pair, opened by the host with the smaller id, kept open for ever.

Path `/holdfast.v1.Peer/Link`, frames of bytes both ways. Whoever accepts learns who called from the greeting and, with
TLS, from the certificate: a host of another namespace, app or trust domain is not talked to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from datetime import timedelta

import grpc

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids
from holdfast_placement.table import Host as Member
from holdfast_placement.table import Table
from holdfast_sidecar.cluster.outgoing import ITEMS_MAX
from holdfast_sidecar.cluster.peer import Local, Peer
from holdfast_sidecar.cluster.placement_stream import Channel, Me
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.cluster.words import PROTOCOL, BadFrame, Frame, Greeting, decode_frame, encode_frame

_log = logging.getLogger(__name__)

METHOD = "/holdfast.v1.Peer/Link"
GREETING_TIMEOUT = 5.0
# Seconds after a frame of several items until the next. A frame costs over 100 us on either side whatever is in it, so
# a link that is busy sends fewer, larger ones; what they set off goes together from then on, at workers and in the
# store. A frame of one item is followed at once: whoever is alone waits for nobody.
GATHER = 0.01
Write = Callable[[bytes], Awaitable[object]]
_EXPECTED = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError, BadFrame)


class Links:
    """Knows the peers of the table, keeps a stream to each, and tells the router who is there."""

    def __init__(
        self,
        me: Me,
        *,
        local: Local,
        router: ClusterRouter,
        channel: Channel,
        clock: Clock,
        ids: Ids,
        identity: Callable[[grpc.aio.ServicerContext[bytes, bytes]], str | None],
    ) -> None:
        self._me = me
        self._local = local
        self._router = router
        self._channel = channel
        self._clock = clock
        self._ids = ids
        self._identity = identity  # why the caller's certificate does not fit; None when it does
        self._members: dict[str, Member] = {}
        self._peers: dict[str, Peer] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._streams: dict[str, object] = {}
        self._broken: dict[str, str] = {}  # why the last link to a peer broke, until there is another
        self._told = set[str]()  # why peers were refused, since the last table
        self._dialers: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def handler(self) -> grpc.GenericRpcHandler:
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self.accept, None, None)
        return grpc.method_handlers_generic_handler("holdfast.v1.Peer", {"Link": method})

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            for host_id in self._peers:
                self._dial(host_id)
            await asyncio.Event().wait()

    def use(self, table: Table) -> None:
        """Peers come and go with the table's members; a restarted process is a new peer under an old id."""
        self._told.clear()
        members = {member.id: member for member in table.hosts if member.id != self._me.host_id}
        for host_id, member in list(self._members.items()):
            new = members.get(host_id)
            if new is None or new.incarnation != member.incarnation:
                self._forget(host_id)
        for host_id, member in members.items():
            if host_id not in self._members:
                self._meet(member)

    def _meet(self, member: Member) -> None:
        self._members[member.id] = member
        self._wakes[member.id] = wake = asyncio.Event()
        self._peers[member.id] = peer = Peer(member.id, self._local, wake=wake.set)
        self._router.add_peer(peer)
        self._dial(member.id)

    def _dial(self, host_id: str) -> None:
        if self._group is not None and self._me.host_id < host_id and host_id not in self._dialers:
            self._dialers[host_id] = self._group.create_task(self._keep_dialed(host_id), name=f"peer {host_id}")

    def _forget(self, host_id: str) -> None:
        del self._members[host_id]
        self._broken.pop(host_id, None)
        dialer = self._dialers.pop(host_id, None)
        if dialer is not None:
            dialer.cancel()
        self._streams.pop(host_id, None)
        self._peers.pop(host_id)
        self._wakes.pop(host_id).set()
        self._router.peer_gone(host_id)

    # -- calling ---------------------------------------------------------------------------------------------------

    async def _keep_dialed(self, host_id: str) -> None:
        backoff = Backoff(self._ids.random(), base=timedelta(milliseconds=20), cap=timedelta(seconds=1))
        while host_id in self._members:
            try:
                async with self._channel(self._members[host_id].address) as channel:
                    call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
                        METHOD, request_serializer=_as_is, response_deserializer=_as_is
                    )()
                    await call.write(encode_frame(Frame(greeting=self._greeting())))
                    await self._converse(host_id, call, call.write, backoff)
            except _EXPECTED as error:
                self._say_broken(host_id, error)
            await self._clock.sleep(backoff.next())

    def _say_broken(self, host_id: str, error: Exception) -> None:
        """Once for each cause in a row: a peer that is away, or refuses us, is called again every second."""
        text = (error.details() or error.code().name) if isinstance(error, grpc.aio.AioRpcError) else str(error)
        if self._broken.get(host_id) != text:
            self._broken[host_id] = text
            level = logging.WARNING if isinstance(error, BadFrame) else logging.INFO
            _log.log(level, "link to a peer broke", extra={"peer": host_id, "error": text[:200]})

    # -- being called ----------------------------------------------------------------------------------------------

    async def accept(self, frames: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        try:
            async with asyncio.timeout(GREETING_TIMEOUT):
                greeting = decode_frame(await anext(frames)).greeting
        except (TimeoutError, StopAsyncIteration, BadFrame):
            greeting = None
        problem = self._identity(context) or self._problem(greeting)
        if greeting is None or problem is not None:
            self._tell_once(problem or "no greeting")
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, problem or "no greeting")
        await context.write(encode_frame(Frame(greeting=self._greeting())))
        await self._converse(greeting.host_id, frames, context.write, None)

    def _tell_once(self, problem: str) -> None:
        """Whoever is refused tries again for ever; the log shall not show it every time."""
        if problem not in self._told:
            self._told.add(problem)
            _log.warning("refused a peer", extra={"reason": problem})

    def _problem(self, greeting: Greeting | None) -> str | None:
        me = self._me
        if greeting is None:
            return "expected a greeting first"
        if greeting.protocol != PROTOCOL:
            return f"peer protocol: expected {PROTOCOL}, found {greeting.protocol}; run sidecars of one release"
        if (greeting.namespace, greeting.app_id) != me.app:
            return f"this sidecar serves {me.app}, not {greeting.namespace}/{greeting.app_id}"
        if greeting.partitions != me.partitions:
            return f"partition count: expected {me.partitions}, found {greeting.partitions}"
        if greeting.host_id not in self._members:
            return f"host {greeting.host_id!r} is in no table known here yet; try again"
        if self._members[greeting.host_id].incarnation != greeting.incarnation:
            return f"host {greeting.host_id!r} is another process than the one in the table; try again"
        return None

    def _greeting(self) -> Greeting:
        me = self._me
        return Greeting(PROTOCOL, me.app.namespace, me.app.app_id, me.host_id, me.incarnation, me.partitions)

    # -- both ------------------------------------------------------------------------------------------------------

    async def _converse(
        self, host_id: str, frames: AsyncIterable[bytes], write: Write, backoff: Backoff | None
    ) -> None:
        """Until either side is gone. A newer stream of the same peer takes the place of an older one."""
        peer, wake, stream = self._peers[host_id], self._wakes[host_id], object()
        self._streams[host_id] = stream
        wake.set()  # whoever wrote to the older one ends: what it took from here on would be lost with it
        if peer.is_connected:
            peer.broken()
        ended = asyncio.Event()
        failures = list[Exception]()  # kept out of the group: one that failed forgets that it was cancelled meanwhile

        async def read() -> None:
            try:
                async for data in frames:
                    if self._is_old(host_id, stream):
                        return
                    frame = decode_frame(data)
                    if frame.greeting is not None and not peer.is_connected:
                        self._connected(host_id, peer, backoff)
                    peer.take(frame)
            except _EXPECTED as error:
                failures.append(error)
            finally:
                ended.set()
                wake.set()

        if backoff is None:
            self._connected(host_id, peer, None)
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(read())
                try:
                    await self._write_all(peer, wake, lambda: ended.is_set() or self._is_old(host_id, stream), write)
                except _EXPECTED as error:
                    failures.append(error)
                reader.cancel()
        finally:
            if not self._is_old(host_id, stream):
                del self._streams[host_id]
                peer.broken()
        for failure in failures[:1]:
            self._say_broken(host_id, failure)

    def _is_old(self, host_id: str, stream: object) -> bool:
        return self._streams.get(host_id) is not stream

    async def _write_all(self, peer: Peer, wake: asyncio.Event, has_ended: Callable[[], bool], write: Write) -> None:
        while not has_ended():
            frame = peer.next_frame() if peer.is_connected else None
            if frame is None:
                wake.clear()
                await wake.wait()
                continue
            await write(encode_frame(frame))
            if 1 < frame.items < ITEMS_MAX:
                await self._clock.sleep(GATHER)

    def _connected(self, host_id: str, peer: Peer, backoff: Backoff | None) -> None:
        peer.connected()
        self._broken.pop(host_id, None)
        if backoff is not None:
            backoff.reset()
        self._router.peer_connected(host_id)
        _log.info("linked with a peer", extra={"peer": host_id})


def _as_is(data: bytes) -> bytes:
    return data
