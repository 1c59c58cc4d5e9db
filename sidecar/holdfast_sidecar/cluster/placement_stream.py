"""This host's conversation with placement: one stream to any replica, heartbeats, tables, and how far to trust them.

    away --connect--> greeting --Welcome--> member --Serve--> serving --Leaving--> leaving --Leave--> left
      ^                                        |                 |
      +------------- broken, GoAway, Refusal (after its delay) --+

A host that has not been heard by placement for one lease counts as dead there; it stops starting turns here. The time
is taken when a heartbeat is sent, not when its answer comes: local time may only shorten trust.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import grpc
from msgspec import Struct

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock
from holdfast_kit.ids import Ids
from holdfast_placement.table import AppKey, BadTable, Table, decode, patched
from holdfast_proto.v1 import placement_pb2 as pb

_log = logging.getLogger(__name__)

PROTOCOL: Final = 1
METHOD: Final = "/holdfast.placement.v1.Placement/Connect"
CONNECT_TIMEOUT: Final = 3.0
_PASSING: Final = (
    pb.Refusal.SILENT,
    pb.Refusal.SUPERSEDED,
    pb.Refusal.ETCD_UNAVAILABLE,
)
RARELY: Final = 30.0  # seconds between tries when a refusal says that trying cannot help


class Me(Struct, frozen=True, kw_only=True):
    app: AppKey
    host_id: str
    incarnation: str
    address: str  # where peers reach this host
    partitions: int


class State(StrEnum):
    AWAY = "away"
    MEMBER = "member"
    SERVING = "serving"
    LEAVING = "leaving"
    LEFT = "left"


class Refused(Exception):
    def __init__(self, refusal: pb.Refusal) -> None:
        super().__init__(refusal.text)
        self.code = refusal.code
        self.retry_after = refusal.retry_after_ms / 1000


Channel = Callable[[str], grpc.aio.Channel]
Call: TypeAlias = "grpc.aio.StreamStreamCall[pb.FromHost, pb.ToHost]"  # generic only for type checkers


class PlacementStream:
    def __init__(
        self,
        me: Me,
        *,
        addresses: Sequence[str],
        channel: Channel,
        clock: Clock,
        ids: Ids,
        on_table: Callable[[Table], None],
        on_trust: Callable[[bool], None],
    ) -> None:
        self.state = State.AWAY
        self.replica = ""
        self.table: Table | None = None
        self._me = me
        self._addresses = addresses
        self._channel = channel
        self._clock = clock
        self._backoff = Backoff(ids.random(), base=timedelta(milliseconds=50), cap=timedelta(seconds=2))
        self._on_table = on_table
        self._on_trust = on_trust
        self._out: asyncio.Queue[pb.FromHost] = asyncio.Queue(maxsize=1000)
        self._wants_to_serve = False
        self._is_leaving = False
        self._left = asyncio.Event()
        self._lease = 3.0
        self._heartbeat = 1.0
        self._sent_at: dict[int, float] = {}
        self._trusted_until = 0.0
        self._is_trusted = False
        self._told = set[str]()  # what was logged since the last welcome: addresses that are away, refusals
        self._call: Call | None = None
        self._heard_at = clock.monotonic()

    # -- what the host wants ---------------------------------------------------------------------------------------

    def serve(self, *, wanted: bool) -> None:
        """Whether a worker is connected here: only then partitions are of any use."""
        if wanted == self._wants_to_serve or self._is_leaving:
            return
        self._wants_to_serve = wanted
        self._say_wish(to_serve=wanted)

    def fenced(self, partition: int, *, epoch: int, fence: int) -> None:
        """The store refused our `epoch`; its fence is at most about `fence`."""
        self._say(pb.FromHost(fenced=pb.Fenced(partition=partition, fence=fence, epoch=epoch)))

    def give_up_partitions(self) -> None:
        """The first half of a planned leave; the next tables give our partitions to others."""
        self._is_leaving = True
        self._say_wish(to_serve=False)

    async def leave(self, limit: float) -> bool:
        """The second half. False when placement did not answer in time: then the lease has to run out."""
        if self.state is State.AWAY:
            return False
        self._say(pb.FromHost(leave=pb.Leave()))
        try:
            async with asyncio.timeout(limit):
                await self._left.wait()
        except TimeoutError:
            return False
        return True

    def _say_wish(self, *, to_serve: bool) -> None:
        self._say(pb.FromHost(serve=pb.Serve()) if to_serve else pb.FromHost(leaving=pb.Leaving()))

    def _say(self, message: pb.FromHost) -> None:
        if self.state is not State.AWAY and not self._out.full():
            self._out.put_nowait(message)

    # -- the stream ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_trust(), name="placement trust")
            await self._connect_for_ever()

    async def _connect_for_ever(self) -> None:
        number = 0
        while not self._left.is_set():
            address = self._addresses[number % len(self._addresses)]
            number += 1
            delay = await self._one_stream(address)
            if _is_ending():  # a connection that failed at that very moment has swallowed it
                raise asyncio.CancelledError
            self.state = State.AWAY
            self._out = asyncio.Queue(maxsize=1000)
            if not self._left.is_set():
                await self._clock.sleep(delay)

    async def _one_stream(self, address: str) -> float:
        """Talks to one replica until the stream ends; gives back how long to wait before the next."""
        try:
            await self._converse(address)
        except Refused as refused:
            return self._log_refusal(refused)
        except BadTable as error:
            _log.warning("placement sent a table that does not follow, asking for a whole one", extra={"e": str(error)})
            self.table = None
        except grpc.aio.AioRpcError as error:
            if address not in self._told:
                self._told.add(address)
                _log.warning("placement is away", extra={"address": address, "error": error.details()})
        return self._backoff.next()

    async def _converse(self, address: str) -> None:
        ended: grpc.aio.AioRpcError | Refused | BadTable | None = None
        async with self._channel(address) as channel:
            self._call = call = channel.stream_stream(
                METHOD,
                request_serializer=_serialized,
                response_deserializer=pb.ToHost.FromString,
            )()
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write_for_ever(call), name="placement writer")
                try:
                    async for message in call:
                        self._heard_at = self._clock.monotonic()
                        self._take(message)
                except (grpc.aio.AioRpcError, Refused, BadTable) as error:
                    ended = error  # raised below: out of the group it would come wrapped
                except asyncio.CancelledError:
                    if _is_ending():
                        raise  # else only the call was cancelled, because the replica is silent
                finally:
                    self._call = None
                    call.cancel()
                writer.cancel()
        if ended is not None:
            raise ended

    async def _write_for_ever(self, call: Call) -> None:
        """Ends with the stream: what a write would say of a broken one, the reader says better."""
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            async for message in self._requests():
                await call.write(message)

    def _log_refusal(self, refused: Refused) -> float:
        text = str(refused)
        if text not in self._told:
            self._told.add(text)
            level = logging.WARNING if refused.code in _PASSING else logging.ERROR
            _log.log(level, "placement refused this host", extra={"reason": text})
        return refused.retry_after or RARELY

    async def _requests(self) -> AsyncIterator[pb.FromHost]:
        self._sent_at.clear()
        yield pb.FromHost(hello=self._hello())
        seq = 0
        next_beat = 0.0
        while True:
            # The welcome names the pace; it also says something, which ends the wait for it.
            wait = None if self.state is State.AWAY else next_beat - self._clock.monotonic()
            if wait is not None and wait <= 0:
                seq += 1
                self._sent_at[seq] = self._clock.monotonic()
                next_beat = self._sent_at[seq] + self._heartbeat
                yield pb.FromHost(heartbeat=pb.Heartbeat(seq=seq))
                continue
            try:
                async with asyncio.timeout(wait):
                    message = await self._out.get()
            except TimeoutError:
                continue
            yield message

    def _hello(self) -> pb.Hello:
        me = self._me
        return pb.Hello(
            protocol=PROTOCOL,
            namespace=me.app.namespace,
            app_id=me.app.app_id,
            host_id=me.host_id,
            incarnation=me.incarnation,
            address=me.address,
            partitions=me.partitions,
            table_version=0 if self.table is None else self.table.version,
            serving=self._wants_to_serve and not self._is_leaving,
        )

    def _take(self, message: pb.ToHost) -> None:
        match message.WhichOneof("kind"):
            case "welcome":
                self._welcomed(message.welcome)
            case "table":
                self._use(decode(message.table))
            case "diff":
                if self.table is None:
                    raise BadTable("a difference came before any table")
                self._use(patched(self.table, message.diff))
            case "heartbeat_ack":
                self._acknowledged(message.heartbeat_ack)
            case "refusal":
                raise Refused(message.refusal)
            case "go_away":
                _log.info("placement replica stops, going to another", extra={"reason": message.go_away.text})
            case "left":
                self.state = State.LEFT
                self._left.set()
            case _:
                pass  # a word of a newer placement; what matters has a protocol number

    def _welcomed(self, welcome: pb.Welcome) -> None:
        self._lease = welcome.lease_ms / 1000
        self._heartbeat = welcome.heartbeat_ms / 1000
        self.replica = welcome.replica_id
        self.state = State.SERVING if self._wants_to_serve else State.MEMBER
        self._backoff.reset()
        self._told.clear()
        # A worker may have come or gone after the Hello went out.
        self._say_wish(to_serve=self._wants_to_serve and not self._is_leaving)
        _log.info("joined placement", extra={"replica": self.replica, "lease_s": self._lease})

    def _use(self, table: Table) -> None:
        if table.app != self._me.app or (self.table is not None and table.version < self.table.version):
            return  # of another app, or of a replica that is behind
        self.table = table
        self._on_table(table)

    # -- trust -----------------------------------------------------------------------------------------------------

    def _acknowledged(self, ack: pb.HeartbeatAck) -> None:
        sent_at = self._sent_at.pop(ack.seq, None)
        if sent_at is None:
            return
        for seq in [seq for seq in self._sent_at if seq < ack.seq]:
            del self._sent_at[seq]
        if ack.etcd_silence_ms / 1000 < self._lease or self._is_trusted:
            # While etcd is away nobody can be given our partitions: the last table stays in force.
            self._trusted_until = sent_at + self._lease
        self._set_trust()

    def _set_trust(self) -> None:
        trusted = self._clock.monotonic() < self._trusted_until
        if trusted != self._is_trusted:
            self._is_trusted = trusted
            if not trusted:
                _log.warning("no word from placement for a lease, starting no turns until it is back")
            self._on_trust(trusted)

    async def _watch_trust(self) -> None:
        while not self._left.is_set():
            await self._clock.sleep(max(0.05, min(self._heartbeat, self._lease / 10)))
            self._set_trust()
            if self._call is not None and self._clock.monotonic() - self._heard_at > self._lease:
                _log.warning("placement replica is silent, going to another", extra={"replica": self.replica})
                self._heard_at = self._clock.monotonic()
                self._call.cancel()


def _serialized(message: pb.FromHost) -> bytes:
    return message.SerializeToString()


def _is_ending() -> bool:
    """Somebody has cancelled this task; a call that is cancelled raises the same error in whoever reads it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
