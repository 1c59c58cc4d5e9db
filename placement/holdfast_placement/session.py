"""One sidecar's stream: a reader that notes what the host wants, a registrar that sees to it in etcd, a writer.

    joined --Serve--> serving --Leaving--> joined --Leave--> gone
       \\                 \\------------------------Leave------^
        \\--lease lost--> joining again --> as before, with a new lease

The reader never waits for etcd, so a slow etcd delays no heartbeat. The writer sends what is newest, so a slow sidecar
costs no memory. Whatever ends the stream is its last message.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Protocol

from google.protobuf.message import DecodeError

from holdfast_kit.clock import Clock
from holdfast_placement.admission import Code, Refused, app_of, check_app_id, check_fence
from holdfast_placement.etcd import Etcd
from holdfast_placement.etcd_errors import EtcdError, EtcdUnavailable, LeaseLost
from holdfast_placement.groups import ungrouped
from holdfast_placement.health import Once
from holdfast_placement.hub import Hub
from holdfast_placement.members import Members, Registration, Superseded
from holdfast_placement.stats import Stats
from holdfast_placement.table import AppKey, empty, encode
from holdfast_proto.v1 import placement_pb2 as pb

_log = logging.getLogger(__name__)
WATCHED_MAX = 64  # other apps whose tables a host may ask for
_LAST_WORDS_S = 1.0  # a peer that does not read is not waited for
_SUPERSEDED_RETRY = timedelta(seconds=1)


class Stream(Protocol):
    """The two ends of a gRPC stream, in bytes."""

    async def read(self) -> bytes | None:
        """None at the end."""
        ...

    async def write(self, frame: bytes) -> None: ...


class Session:
    """`run` returns when the stream has had its last message, or its end was read."""

    def __init__(
        self,
        stream: Stream,
        hello: pb.Hello,
        registration: Registration,
        *,
        is_claimed: bool,
        members: Members,
        hub: Hub,
        etcd: Etcd,
        stats: Stats,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self.app = app_of(hello)
        self.hello = hello
        self.registration = registration
        self.has_left = False
        self.heard_at = clock.monotonic()
        self._stream = stream
        self._members = members
        self._hub = hub
        self._etcd = etcd
        self._stats = stats
        self._clock = clock
        self._lease = lease
        self._wants_to_serve = hello.serving
        self._wants_to_leave = False
        self._is_lost = not is_claimed
        self._is_beaten = False
        self._fenced: pb.Fenced | None = None
        self._once = Once(clock)
        self._todo = asyncio.Event()
        self._ack: int | None = None
        self._versions: dict[AppKey, int | None] = {}
        self._last_words: pb.ToHost | None = None
        self._is_over = False
        self._patience: asyncio.Timeout | None = None
        self._send = asyncio.Event()

    @property
    def host_id(self) -> str:
        return self.hello.host_id

    async def run(self, welcome: pb.Welcome) -> None:
        self._subscribe(self.app)
        self._todo.set()
        try:
            with ungrouped():
                async with asyncio.TaskGroup() as group:
                    others = [group.create_task(self._read_all()), group.create_task(self._register_all())]
                    await self._write_all(welcome)
                    for other in others:
                        other.cancel()
        finally:
            for app in self._versions:
                self._hub.unsubscribe(app, self._send.set)

    def end(self, last_words: pb.ToHost | None) -> None:
        """The first call counts."""
        if not self._is_over:
            self._is_over, self._last_words = True, last_words
            self._send.set()
            if self._patience is not None:
                self._patience.reschedule(asyncio.get_running_loop().time() + _LAST_WORDS_S)

    def refuse(self, refused: Refused) -> None:
        self._stats.refused[refused.name] += 1
        self.end(refusal(refused))

    def superseded(self, by: str) -> None:
        """The same process was heard of elsewhere since."""
        text = f"host {self.host_id} of {self.app}: the same process connected again, to {by}; this is the older stream"
        self.refuse(Refused(Code.SUPERSEDED, text, _SUPERSEDED_RETRY))

    def lost(self) -> None:
        """Its key is gone from etcd although the host is here: join again."""
        self._is_lost = True
        self._todo.set()

    # -- what the host says

    async def _read_all(self) -> None:
        try:
            while (message := await self._next()) is not None:
                self._take(message)
            self.end(None)
        except Refused as refused:
            self.refuse(refused)

    async def _next(self) -> pb.FromHost | None:
        try:
            async with asyncio.timeout(self._lease.total_seconds()):
                frame = await self._stream.read()
        except TimeoutError as error:
            text = f"host {self.host_id} of {self.app}: expected a heartbeat, heard nothing for {_shown(self._lease)}"
            raise Refused(Code.SILENT, text, timedelta(milliseconds=1)) from error
        return None if frame is None else parse(frame)

    def _take(self, message: pb.FromHost) -> None:
        self.heard_at = self._clock.monotonic()
        match message.WhichOneof("kind"):
            case "heartbeat":
                self._ack = message.heartbeat.seq
                self._stats.heartbeats += 1
                self._is_beaten = True
                self._send.set()
            case "serve":
                self._wants_to_serve = True
            case "leaving":
                self._wants_to_serve = False
            case "leave":
                self._wants_to_leave = True
            case "fenced":
                check_fence(message.fenced.fence)
                self._fenced = message.fenced
            case "watch":
                self._watch(message.watch.app_id)
            case kind:
                raise Refused(Code.INVALID, f"host {self.host_id}: expected one Hello and then no other, found {kind}")
        self._todo.set()

    def _watch(self, app_id: str) -> None:
        check_app_id(app_id)
        if len(self._versions) > WATCHED_MAX:
            raise Refused(Code.INVALID, f"host {self.host_id}: expected at most {WATCHED_MAX} apps to watch")
        self._subscribe(AppKey(self.app.namespace, app_id))

    # -- what etcd is told

    async def _register_all(self) -> None:
        while not self.has_left:
            await self._todo.wait()
            self._todo.clear()
            try:
                await self._register()
            except EtcdError as error:
                await self._wait_for_etcd(error)
            except Superseded as superseded:
                _log.info("stream superseded", extra={"host_id": self.host_id, "reason": str(superseded)})
                return self.superseded("another replica")
            except Refused as refused:
                return self.refuse(refused)
        self.end(pb.ToHost(left=pb.Left()))

    async def _register(self) -> None:
        """One step towards what the host wants; the most pressing first."""
        if self._wants_to_leave:
            await self._members.leave(self.registration)
            self.has_left = True
            return
        if self._is_lost:
            self.registration = await self._members.join(self.hello, serving=self._wants_to_serve)
            self._is_lost = False
        try:
            if self.registration.member.serving != self._wants_to_serve:
                self.registration = await self._members.serve(self.registration, serving=self._wants_to_serve)
            if self._is_beaten:
                self._is_beaten = False
                await self._members.keep(self.registration, within=self._lease / 3)
        except LeaseLost:
            self._stats.leases_lost += 1
            _log.warning("lease lost, joining again", extra={"app": str(self.app), "host_id": self.host_id})
            self.lost()
        if self._fenced is not None:
            fenced, self._fenced = self._fenced, None
            await self._members.heed_fence(self.app, fenced.partition, epoch=fenced.epoch, fence=fenced.fence)

    async def _wait_for_etcd(self, error: EtcdError) -> None:
        """The next heartbeat tries again; leaving and serving do not wait for one."""
        _log.debug("etcd not told", extra={"host_id": self.host_id, "reason": str(error)})
        if not isinstance(error, EtcdUnavailable) and self._once.is_new("etcd", type(error)):
            _log.error("etcd refuses to be told about a host", extra={"host_id": self.host_id, "reason": str(error)})
        await self._clock.sleep(self._lease.total_seconds() / 15)
        self._todo.set()

    # -- what the host is told

    async def _write_all(self, welcome: pb.Welcome) -> None:
        try:
            async with asyncio.timeout(None) as self._patience:
                await self._write_first(welcome)
                while not self._is_over:
                    await self._send.wait()
                    self._send.clear()
                    await self._write_newest()
                if self._last_words is not None:
                    await self._stream.write(self._last_words.SerializeToString())
        except TimeoutError:
            _log.info("host does not read, its stream is cut", extra={"app": str(self.app), "host_id": self.host_id})
        finally:
            self._patience = None

    async def _write_first(self, welcome: pb.Welcome) -> None:
        await self._stream.write(pb.ToHost(welcome=welcome).SerializeToString())
        if self._hub.table(self.app) is None:
            nobody = encode(empty(self.app, self.hello.partitions))
            await self._stream.write(pb.ToHost(table=nobody).SerializeToString())

    async def _write_newest(self) -> None:
        for app, version in list(self._versions.items()):
            frame = self._hub.frame(app, version)
            if frame is not None and self._suits(app):
                self._versions[app] = frame[0]
                await self._write(frame[1])
                self._stats.tables_sent += 1
                self._stats.table_bytes_sent += len(frame[1])
        if self._ack is not None:
            seq, self._ack = self._ack, None
            silence_ms = self._etcd.silence() // timedelta(milliseconds=1)
            ack = pb.HeartbeatAck(seq=seq, etcd_silence_ms=min(silence_ms, 0xFFFFFFFF))
            await self._write(pb.ToHost(heartbeat_ack=ack).SerializeToString())

    async def _write(self, frame: bytes) -> None:
        """A host that takes nothing for a lease is as good as dead."""
        loop = asyncio.get_running_loop()
        if self._patience is not None and not self._is_over:
            self._patience.reschedule(loop.time() + self._lease.total_seconds())
        await self._stream.write(frame)
        if self._patience is not None and not self._is_over:
            self._patience.reschedule(None)

    def _suits(self, app: AppKey) -> bool:
        """Not a table older than the host's own, nor one that takes it for its predecessor: a later one is coming."""
        table = self._hub.table(app)
        if app != self.app or table is None:
            return True
        mine = table.host(self.host_id)
        return table.version >= self.hello.table_version and (
            mine is None or mine.incarnation == self.hello.incarnation
        )

    def _subscribe(self, app: AppKey) -> None:
        if app not in self._versions:
            self._versions[app] = None
            self._hub.subscribe(app, self._send.set)
            self._send.set()


def parse(frame: bytes) -> pb.FromHost:
    try:
        return pb.FromHost.FromString(frame)
    except DecodeError as error:
        raise Refused(
            Code.INVALID, f"message of {len(frame)} bytes: expected a FromHost, found something else"
        ) from error


def refusal(refused: Refused) -> pb.ToHost:
    retry_after_ms = refused.retry_after // timedelta(milliseconds=1)
    return pb.ToHost(refusal=pb.Refusal(code=refused.code, text=refused.text, retry_after_ms=retry_after_ms))


def _shown(lease: timedelta) -> str:
    return f"{lease.total_seconds():g} s"
