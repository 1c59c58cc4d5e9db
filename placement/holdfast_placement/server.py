"""The gRPC side: greets sidecars, keeps their sessions, and removes those that went silent for a lease."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc

from holdfast_kit.clock import Clock
from holdfast_placement.admission import (
    PROTOCOL,
    Code,
    Refused,
    app_of,
    check_hello,
    check_identity,
    check_partitions,
    etcd_unavailable,
    host_of,
)
from holdfast_placement.etcd import Etcd
from holdfast_placement.etcd_errors import EtcdError, EtcdUnavailable
from holdfast_placement.health import Once
from holdfast_placement.hub import Hub
from holdfast_placement.keys import MemberPlace, Place, TablePlace
from holdfast_placement.members import Members, Registration
from holdfast_placement.mirror import Mirror
from holdfast_placement.session import Session, Stream, parse, refusal
from holdfast_placement.stats import Move, Stats
from holdfast_placement.table import AppKey, Table, empty, moves, serving
from holdfast_proto.v1 import placement_pb2 as pb

_log = logging.getLogger(__name__)
SERVICE = "holdfast.placement.v1.Placement"
HEARTBEATS_PER_LEASE = 3  # two may be lost or late
STREAMS_MAX = 10_000  # 60 kB each; a fleet that is larger wants more replicas
_HELLO_S = 5.0
_FRAME_BYTES_MAX = 64 << 10  # what a host says is small


@dataclass(frozen=True, slots=True)
class ServerRules:
    replica_id: str
    lease: timedelta
    trust_domain: str | None  # None: hosts are not asked who they are

    def welcome(self) -> pb.Welcome:
        lease_ms = self.lease // timedelta(milliseconds=1)
        return pb.Welcome(
            protocol=PROTOCOL,
            replica_id=self.replica_id,
            lease_ms=lease_ms,
            heartbeat_ms=lease_ms // HEARTBEATS_PER_LEASE,
        )


class PlacementServer:
    """Owner of the sessions. `run` holds what outlives a stream: the watch over hosts whose stream broke."""

    def __init__(
        self, etcd: Etcd, mirror: Mirror, members: Members, hub: Hub, *, rules: ServerRules, clock: Clock, stats: Stats
    ) -> None:
        self._etcd = etcd
        self._mirror = mirror
        self._members = members
        self._hub = hub
        self._rules = rules
        self._clock = clock
        self._stats = stats
        self._once = Once(clock)
        self._sessions: dict[MemberPlace, Session] = {}
        self._departed: asyncio.Queue[Session] = asyncio.Queue()
        self._is_draining = False
        mirror.listen(self._on_change)

    @property
    def hosts(self) -> int:
        """Sidecars connected here."""
        return len(self._sessions)

    def handler(self) -> grpc.GenericRpcHandler:
        connect: Any = self._connect
        method: Any = grpc.stream_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(SERVICE, {"Connect": method(connect)})

    async def run(self) -> None:
        """Until cancelled: see to hosts whose stream ended without a Leave."""
        async with asyncio.TaskGroup() as group:
            while True:
                session = await self._departed.get()
                group.create_task(self._expire(session))

    def drain(self) -> None:
        """Send every sidecar to another replica. Their leases go on."""
        self._is_draining = True
        for session in self._sessions.values():
            session.end(self._go_away())

    async def _connect(self, _: object, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        stream = _GrpcStream(context)
        try:
            hello = await self._hello(stream)
            check_hello(hello)
            if self._rules.trust_domain is not None:
                check_identity(hello, _names(context), self._rules.trust_domain)
            registration, is_claimed = await self._admit(hello)
        except Refused as refused:
            self._report(refused, context)
            return await stream.write(refusal(refused).SerializeToString())
        if self._is_draining:
            return await stream.write(self._go_away().SerializeToString())
        await self._serve(stream, hello, registration, is_claimed=is_claimed)

    async def _hello(self, stream: Stream) -> pb.Hello:
        try:
            async with asyncio.timeout(_HELLO_S):
                frame = await stream.read()
        except TimeoutError as error:
            raise Refused(Code.INVALID, f"stream: expected a Hello within {_HELLO_S:g} s, heard nothing") from error
        message = parse(frame or b"")
        if message.WhichOneof("kind") != "hello":
            raise Refused(Code.INVALID, f"stream: expected a Hello first, found {message.WhichOneof('kind')}")
        return message.hello

    async def _admit(self, hello: pb.Hello) -> tuple[Registration, bool]:
        """The host's registration, and whether etcd knows that it is served from here now."""
        subject = f"host {hello.host_id} of {app_of(hello)}"
        if not self._mirror.is_loaded:
            raise etcd_unavailable(subject, "this replica has not read it yet")
        known = self._known(hello)
        if known is not None and self._mirror.is_etcd_away:
            return known, False
        try:
            registration = await self._members.join(hello, serving=hello.serving)
            await self._heed_version(hello)
        except EtcdUnavailable as error:
            if known is not None:
                return known, False
            raise etcd_unavailable(subject, str(error)) from error
        except EtcdError as error:
            _log.error("etcd refuses to take a host", extra={"host_id": hello.host_id, "reason": str(error)})
            raise etcd_unavailable(subject, str(error)) from error
        return registration, True

    def _known(self, hello: pb.Hello) -> Registration | None:
        """The host as a member already, by the last view: while etcd is away it may come back here."""
        stored = self._mirror.view.member(app_of(hello), hello.host_id)
        if stored is None or stored.value.host != host_of(hello):
            return None
        check_partitions(hello, self._mirror.view.partitions.get(hello.namespace, hello.partitions))
        return Registration(stored.value, stored.lease, stored.mod_revision)

    async def _heed_version(self, hello: pb.Hello) -> None:
        """A host that has seen a later table than there is tells that etcd lost something."""
        stored = self._mirror.view.tables.get(app_of(hello))
        if hello.table_version > (stored.value.version if stored else 0):
            await self._members.raise_floor(app_of(hello), hello.table_version)

    async def _serve(self, stream: Stream, hello: pb.Hello, registration: Registration, *, is_claimed: bool) -> None:
        session = Session(
            stream,
            hello,
            registration,
            is_claimed=is_claimed,
            members=self._members,
            hub=self._hub,
            etcd=self._etcd,
            stats=self._stats,
            clock=self._clock,
            lease=self._rules.lease,
        )
        self._enter(session)
        try:
            await session.run(self._rules.welcome())
        finally:
            self._exit(session)

    def _enter(self, session: Session) -> None:
        place = session.registration.place
        self._stats.joins += 1
        self._once.forget(place)
        older = self._sessions.get(place)
        if older is not None and older.registration.mod_revision > session.registration.mod_revision:
            return session.superseded("this replica")
        self._sessions[place] = session
        if older is not None:
            older.superseded("this replica")
        host = session.registration.member.host
        _log.info(
            "host connected",
            extra={
                "app": str(session.app),
                "host_id": host.id,
                "incarnation": host.incarnation,
                "address": host.address,
            },
        )

    def _exit(self, session: Session) -> None:
        place = session.registration.place
        if self._sessions.get(place) is not session:
            return
        del self._sessions[place]
        extra = {"app": str(session.app), "host_id": session.host_id}
        if session.has_left:
            self._stats.leaves += 1
            _log.info("host left", extra=extra)
        elif not self._is_draining:
            _log.info("host's stream ended, its lease runs", extra=extra)
            self._departed.put_nowait(session)

    async def _expire(self, session: Session) -> None:
        """Remove the host a lease after it was last heard, unless somebody has claimed it since.

        etcd would do the same, but it counts in whole seconds with a minimum of its own. After an outage of etcd the
        host gets another lease: it may be connected elsewhere without etcd having been told yet.
        """
        wait = self._rules.lease - timedelta(seconds=self._clock.monotonic() - session.heard_at)
        while True:
            await self._clock.sleep(wait.total_seconds())
            if session.registration.place in self._sessions:
                return
            if not self._mirror.is_etcd_away and await self._removed(session):
                return
            wait = self._rules.lease

    async def _removed(self, session: Session) -> bool:
        """False when etcd has to be asked again."""
        try:
            if await self._members.leave(session.registration):
                self._stats.expired += 1
                _log.warning(
                    "host removed, nothing heard for a lease",
                    extra={
                        "app": str(session.app),
                        "host_id": session.host_id,
                        "lease_s": self._rules.lease.total_seconds(),
                    },
                )
        except EtcdError as error:
            _log.warning("silent host not removed yet", extra={"host_id": session.host_id, "reason": str(error)})
            return False
        return True

    def _on_change(self, places: frozenset[Place]) -> None:
        for place in places:
            match place:
                case TablePlace(app):
                    self._publish(app)
                case MemberPlace() if session := self._sessions.get(place):
                    self._compare(place, session)
                case _:
                    pass

    def _publish(self, app: AppKey) -> None:
        """What was there before this replica started is nothing that moved."""
        stored = self._mirror.view.tables.get(app)
        if stored is None:
            return
        old = self._hub.table(app) or empty(app, stored.value.partitions)
        if self._hub.publish(stored.value) and self._mirror.is_loaded:
            self._stats.moved(_move(old, stored.value, self._clock.now_ns() // 1_000_000))

    def _compare(self, place: MemberPlace, session: Session) -> None:
        """What etcd says about a host whose stream we hold."""
        stored = self._mirror.view.member(place.app, place.host_id)
        mine = session.registration
        if stored is None:
            if self._mirror.view.revision >= mine.mod_revision and not session.has_left:
                session.lost()
        elif stored.mod_revision > mine.mod_revision and stored.value.replica_id != self._rules.replica_id:
            session.superseded(f"replica {stored.value.replica_id}")

    def _report(self, refused: Refused, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._stats.refused[refused.name] += 1
        if self._once.is_new((refused.code, refused.text), refused.code):
            _log.warning("host refused", extra={"code": refused.name, "reason": refused.text, "peer": context.peer()})

    def _go_away(self) -> pb.ToHost:
        return pb.ToHost(
            go_away=pb.GoAway(text=f"replica {self._rules.replica_id} is stopping, connect to another one")
        )


class _GrpcStream:
    def __init__(self, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._context = context

    async def read(self) -> bytes | None:
        frame: Any = await self._context.read()
        return frame if isinstance(frame, bytes) else None

    async def write(self, frame: bytes) -> None:
        await self._context.write(frame)


def server_options() -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # a second process on the port must fail, not take half of the connections
        ("grpc.max_receive_message_length", _FRAME_BYTES_MAX),
        ("grpc.max_send_message_length", 64 << 20),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _names(context: "grpc.aio.ServicerContext[bytes, bytes]") -> Iterable[str]:
    """The alternative names of the certificate that the peer has shown."""
    found: Any = context.auth_context()
    return [name.decode(errors="replace") for name in found.get("x509_subject_alternative_name", ())]


def _move(old: Table, new: Table, at_ms: int) -> Move:
    before, after = serving(old.hosts), serving(new.hosts)
    return Move(
        at_ms, new.app, new.version, tuple(sorted(after - before)), tuple(sorted(before - after)), moves(old, new)
    )
