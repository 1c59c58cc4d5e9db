"""A sidecar's half of the placement stream, for tests: connects, beats, reconnects anywhere, follows the table."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc

from holdfast_placement.groups import ungrouped
from holdfast_placement.table import AppKey, Table, decode, patched, serving
from holdfast_proto.v1 import placement_pb2 as pb

METHOD = "/holdfast.placement.v1.Placement/Connect"
DEADLINE_S = 20.0
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 64 << 20),
]


@dataclass(slots=True)
class Sidecar:
    """`addresses` are tried in turn. What happens is kept; `until` waits for it."""

    addresses: Sequence[str]
    host_id: str
    app: AppKey
    incarnation: str = "first"
    address: str = ""
    partitions: int = 64
    protocol: int = 1
    serving: bool = True
    credentials: grpc.ChannelCredentials | None = None
    table: Table | None = None
    others: dict[AppKey, Table] = field(default_factory=dict[AppKey, Table])
    table_at: float = 0.0
    tables: int = 0
    diffs: int = 0
    connections: int = 0
    replica_id: str = ""
    acks: int = 0
    etcd_silence_ms: int = 0
    refusals: list[pb.Refusal] = field(default_factory=list[pb.Refusal])
    go_aways: int = 0
    is_over: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _call: Any = None
    _is_muted: bool = False
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Until it has left or was refused for good; reconnects after everything else."""
        at = random.Random(self.host_id).randrange(len(self.addresses))
        while not self.is_over:
            await self._connect(self.addresses[at % len(self.addresses)])
            at += 1
            self._news.set()
            if not self.is_over:
                await asyncio.sleep(0.05)

    async def say(self, **kind: Any) -> None:
        async with self._writing:  # two writes at once on one gRPC stream break it
            await self._call.write(pb.FromHost(**kind))

    async def leave(self) -> None:
        """As a planned stop does it: hand over, wait for a table without us, then go."""
        await self.say(leaving=pb.Leaving())
        await self.until(lambda: self.table is not None and not self.owned)
        await self.say(leave=pb.Leave())
        await self.until(lambda: self.is_over)

    def mute(self) -> None:
        """No more heartbeats, although the connection stands."""
        self._is_muted = True

    @property
    def owned(self) -> dict[int, int]:
        return self.table.owned(self.host_id) if self.table else {}

    @property
    def codes(self) -> list[str]:
        return [pb.Refusal.Code.Name(refusal.code) for refusal in self.refusals]

    async def until(self, check: Callable[[], bool], *, within: float = DEADLINE_S) -> None:
        async with asyncio.timeout(within):
            while not check():
                self._news.clear()
                await self._news.wait()

    async def until_connected(self, times: int, *, within: float = DEADLINE_S) -> None:
        await self.until(lambda: self.connections >= times, within=within)

    async def until_beats(self, number: int) -> None:
        """So many more heartbeats were answered."""
        wanted = self.acks + number
        await self.until(lambda: self.acks >= wanted, within=30)

    async def until_epochs_above(self, floor: int) -> None:
        await self.until(lambda: self.table is not None and all(row.epoch > floor for row in self.table.rows))

    async def until_hosts(self, *ids: str, within: float = DEADLINE_S) -> None:
        """The table has exactly these hosts that serve."""
        await self.until(lambda: self.table is not None and serving(self.table.hosts) == set(ids), within=within)

    def hello(self) -> pb.Hello:
        return pb.Hello(
            protocol=self.protocol,
            namespace=self.app.namespace,
            app_id=self.app.app_id,
            host_id=self.host_id,
            incarnation=self.incarnation,
            address=self.address or f"{self.host_id}:7000",
            partitions=self.partitions,
            table_version=self.table.version if self.table else 0,
            serving=self.serving,
        )

    async def _connect(self, address: str) -> None:
        async with self._channel(address) as channel:
            method: Any = channel.stream_stream(
                METHOD, request_serializer=pb.FromHost.SerializeToString, response_deserializer=pb.ToHost.FromString
            )
            self._call = method()
            try:
                await self._call.write(pb.FromHost(hello=self.hello()))
                await self._talk()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return
            finally:
                self._call.cancel()

    def _channel(self, address: str) -> grpc.aio.Channel:
        if self.credentials is None:
            return grpc.aio.insecure_channel(address, options=_OPTIONS)
        return grpc.aio.secure_channel(address, self.credentials, options=_OPTIONS)

    async def _talk(self) -> None:
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                beating: asyncio.Task[None] | None = None
                while isinstance(message := await self._call.read(), pb.ToHost):
                    if message.HasField("welcome"):
                        self.connections += 1
                        self.replica_id = message.welcome.replica_id
                        beating = group.create_task(self._beat(message.welcome.heartbeat_ms / 1000))
                    self._take(message)
                    self._news.set()
                if beating is not None:
                    beating.cancel()

    async def _beat(self, every: float) -> None:
        try:
            for seq in count(1):
                await asyncio.sleep(every)
                if not self._is_muted:
                    await self.say(heartbeat=pb.Heartbeat(seq=seq))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the stream has ended, and reading tells why

    def _take(self, message: pb.ToHost) -> None:
        match message.WhichOneof("kind"):
            case "table":
                self._see(decode(message.table))
                self.tables += 1
            case "diff":
                app = AppKey(message.diff.namespace, message.diff.app_id)
                base = self.table if app == self.app else self.others[app]
                assert base is not None
                self._see(patched(base, message.diff))
                self.diffs += 1
            case "heartbeat_ack":
                self.acks += 1
                self.etcd_silence_ms = message.heartbeat_ack.etcd_silence_ms
            case "refusal":
                self.refusals.append(message.refusal)
                self.is_over = message.refusal.retry_after_ms == 0
            case "go_away":
                self.go_aways += 1
            case "left":
                self.is_over = True
            case _:
                pass

    def _see(self, table: Table) -> None:
        """An older table than the one we have is none for us."""
        if table.app != self.app:
            self.others[table.app] = table
        elif self.table is None or table.version >= self.table.version:
            self.table, self.table_at = table, time.monotonic()


class Fleet:
    """Sidecars that run together."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def start(self, sidecar: Sidecar) -> Sidecar:
        self._tasks[id(sidecar)] = self._group.create_task(sidecar.run())
        return sidecar

    def kill(self, sidecar: Sidecar) -> None:
        """Its connection breaks and it says nothing more."""
        self._tasks.pop(id(sidecar)).cancel()

    def kill_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()


@asynccontextmanager
async def fleet() -> AsyncGenerator[Fleet]:
    async with asyncio.TaskGroup() as group:
        started = Fleet(group)
        try:
            yield started
        finally:
            started.kill_all()
