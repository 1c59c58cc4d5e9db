"""Puts a sidecar together: the only file that names concrete classes and imports what extras bring.

It starts from the bottom (store, host, partitions, servers) and ends from the top, within the drain limit:

    first signal: no new turn starts -> what is at workers ends -> streams end -> partitions are given up
                  -> what is queued is written -> servers close -> store closes
    second signal, or the limit: everything is cancelled, which is as safe as losing power
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never, cast

from holdfast_kit import logs
from holdfast_kit.clock import Clock, SystemClock
from holdfast_kit.ids import SystemIds
from holdfast_kit.serve import ExitCode, Lifetime, serve
from holdfast_kit.tls import CertificateWatcher, TlsError, TlsFiles
from holdfast_placement.table import AppKey
from holdfast_sidecar.actors.engine import Engine
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.actors.local import LocalRouter
from holdfast_sidecar.api import grpc_server
from holdfast_sidecar.api.durabletask.service import DurableTaskService
from holdfast_sidecar.api.grpc_server import GrpcPort, GrpcService
from holdfast_sidecar.api.native.client_service import ClientService
from holdfast_sidecar.api.native.service import WorkerService
from holdfast_sidecar.cluster.dialer import Dialer
from holdfast_sidecar.cluster.node import ClusterNode
from holdfast_sidecar.cluster.placement_stream import Me
from holdfast_sidecar.cluster.port import peers_served
from holdfast_sidecar.cluster.router import ClusterRouter
from holdfast_sidecar.cluster.security import Channels, PeerIdentity, host_name
from holdfast_sidecar.config import Config
from holdfast_sidecar.startup import Unstartable, check_exists, listening, missing_extra, reasons
from holdfast_sidecar.stores.contract import Store, StoreError, StoreMismatch
from holdfast_sidecar.stores.urls import (
    MemoryUrl,
    PostgresUrl,
    RedisUrl,
    SqliteUrl,
    StoreUrl,
    parse_store_url,
    redacted,
)
from holdfast_sidecar.telemetry.measured import MeasuredStore

if TYPE_CHECKING:
    from aiohttp import web

    from holdfast_sidecar.api.http_health import Health

_log = logging.getLogger(__name__)

CLOSING: Final = timedelta(seconds=5)  # for servers and store to close, beyond the drain limit
_SETTLE: Final = 0.1  # seconds for the commits of the last turns
_POLL: Final = 0.01
_DATABASE: Final = "holdfast.db"
_COLLECT_AFTER: Final = 50_000  # new objects
_EPOCH_STEP: Final = 1_000_000  # microseconds


def run(config: Config) -> int:
    """Runs a sidecar until a signal ends it; gives the exit code."""
    logs.setup(config.log.level, config.log.format)
    _calm_collector()
    service = Sidecar(config).run
    return serve(service, drain_limit=config.drain_limit + CLOSING, loop_factory=_loop_factory())


def _calm_collector() -> None:
    """What instances are made of has no cycles and dies by count; walking through it costs a fifth of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 50, 100)


def read_file(path: Path) -> Mapping[str, object]:
    """The mapping that a YAML file holds. Unstartable when it cannot be read."""
    with missing_extra("reading a configuration file", "sidecar"):
        from holdfast_sidecar.config_file import read_mapping
    return read_mapping(path)


class Sidecar:
    """One sidecar. `ports` is (gRPC, HTTP) once it is ready, which `on_ready` tells."""

    def __init__(self, config: Config, *, clock: Clock | None = None, on_ready: Callable[[], None] | None = None):
        self._config = config
        self._clock = clock or SystemClock()
        self._on_ready = on_ready or (lambda: None)
        self._version = installed_version("holdfast")
        self.ports = (0, 0)

    async def run(self, lifetime: Lifetime) -> None:
        """Until `lifetime` ends, then drains."""
        try:
            await self._run(lifetime)
        except* Unstartable as group:
            lifetime.exit_code = ExitCode.MISUSED
            for reason in reasons(group):
                _log.error("cannot start: %s", reason)

    async def _run(self, lifetime: Lifetime) -> None:
        """Ports come first: who cannot have them must not take the partitions of the one who has."""
        config, clock = self._config, self._clock
        async with bound_ports(config, clock) as ports, _opened(config, clock) as store:
            self.ports = ports.numbers
            host = make_host(config, store, clock)
            member = make_member(config, host) if config.placement.addresses else None
            router = LocalRouter(host) if member is None else member.node.router
            host.router = router
            async with _running(host) as committer, _placed(host, member, lifetime):
                async with self._fronts(host, make_engine(host, router), store, ports) as fronts:
                    self._tell_ready()
                    await lifetime.stopping()
                    fronts.health.is_draining = True
                    deadline = clock.monotonic() + config.drain_limit.total_seconds()
                    if member is not None:
                        await member.node.leave(config.drain_limit.total_seconds())
                    await drain(host, fronts.services, clock, limit=deadline - clock.monotonic())
                router.stop()
                await committer

    @asynccontextmanager
    async def _fronts(self, host: Host, engine: Engine, store: MeasuredStore, ports: Ports) -> AsyncGenerator[Fronts]:
        """The ways in, open."""
        with missing_extra("the HTTP server", "sidecar"):
            from holdfast_sidecar.api import http_server
        services = make_services(host, engine, self._config, version=self._version)
        app, health = make_http(host, engine, store, self._config, version=self._version)
        async with http_server.serving(app, ports.listener):
            await ports.grpc.start(services)
            try:
                yield Fronts(services, health)
            finally:
                await ports.grpc.stop()

    def _tell_ready(self) -> None:
        config, (grpc_port, http_port) = self._config, self.ports
        _log.info(
            "sidecar is ready",
            extra={
                "grpc": f"{config.grpc_address}:{grpc_port}",
                "http": f"{config.http_address}:{http_port}",
                "store": _store_name(config),
                "version": self._version,
            },
        )
        self._on_ready()


class Ports(NamedTuple):
    """Held, not served yet."""

    grpc: GrpcPort
    listener: socket.socket

    @property
    def numbers(self) -> tuple[int, int]:
        return self.grpc.number, self.listener.getsockname()[1]


class Fronts(NamedTuple):
    services: Sequence[GrpcService]
    health: Health


# -- parts ---------------------------------------------------------------------------------------------------------


def make_store(config: Config) -> Store:
    url = _store_url(config)
    match url:
        case MemoryUrl():
            from holdfast_sidecar.stores.memory import MemoryStore

            return MemoryStore()
        case SqliteUrl(path=path):
            with missing_extra("the SQLite store", "sidecar"):
                from holdfast_sidecar.stores.sqlite import SqliteStore
            return SqliteStore(_directory(Path(path)))
        case RedisUrl():
            with missing_extra("the Redis store", "redis"):
                from holdfast_sidecar.stores.redis import RedisStore, servers_of
            return RedisStore(servers_of(url), prefix=url.prefix)
        case PostgresUrl():
            with missing_extra("the PostgreSQL store", "postgres"):
                from holdfast_sidecar.stores.postgres import PostgresStore
            return PostgresStore(url)
        case _:
            assert_never(url)


def _store_url(config: Config) -> StoreUrl:
    return parse_store_url(config.store) if config.store else SqliteUrl(str(config.data_dir / _DATABASE))


def make_host(config: Config, store: Store, clock: Clock) -> Host:
    return Host(
        store=store,
        clock=clock,
        ids=SystemIds(),
        partitions=config.partitions,
        limits=config.instance_limits,
        bounds=config.host_bounds,
    )


def make_engine(host: Host, router: LocalRouter | ClusterRouter) -> Engine:
    return Engine(
        router=router,
        store=host.store,
        clock=host.clock,
        ids=host.ids,
        limits=host.limits,
        partition_of=host.partition_of,
        check_room=host.check_room,
    )


class Member(NamedTuple):
    """This host in a cluster, and the port that its peers come to: they show certificates, apps on localhost do not;
    neither may call the other's methods."""

    node: ClusterNode
    port: AbstractAsyncContextManager[None]


def make_member(config: Config, host: Host) -> Member:
    placement = config.placement
    me = Me(
        app=AppKey(config.namespace, config.app_id),
        host_id=placement.host_id or f"{socket.gethostname()}-{placement.peer_port}",
        incarnation=host.ids.uuid(),
        address=placement.peer_address or f"{placement.peer_bind}:{placement.peer_port}",
        partitions=config.partitions,
    )
    watcher = _certificates(config)
    identity = None if watcher is None else PeerIdentity(me.app, trust_domain=placement.trust_domain)
    node = ClusterNode(
        host,
        me,
        placement=placement.addresses,
        placement_channel=Channels(watcher),
        dial=Dialer(watcher, server_name=host_name(me.app)),
        rule=placement.activities,
        identity=identity or (lambda _: None),
    )
    address, port = placement.peer_bind, placement.peer_port
    return Member(node, peers_served(node.links.accept, address=address, port=port, watcher=watcher))


def _certificates(config: Config) -> CertificateWatcher | None:
    given = config.placement
    if given.tls_authority is None or given.tls_certificate is None or given.tls_key is None:
        return None
    try:
        return CertificateWatcher(TlsFiles(given.tls_authority, given.tls_certificate, given.tls_key))
    except (TlsError, OSError) as error:
        raise Unstartable(f"placement.tls: {error}") from error


def make_services(host: Host, engine: Engine, config: Config, *, version: str) -> Sequence[GrpcService]:
    host_id = config.placement.host_id or config.app_id
    return (
        DurableTaskService(host, engine),
        WorkerService(host, namespace=config.namespace, host_id=host_id, version=version),
        ClientService(engine, namespace=config.namespace),
    )


def make_http(
    host: Host, engine: Engine, store: MeasuredStore, config: Config, *, version: str
) -> tuple[web.Application, Health]:
    with missing_extra("the HTTP server", "sidecar"):
        from holdfast_sidecar.api.http_dapr import DaprWorkflows
        from holdfast_sidecar.api.http_health import About, Health
        from holdfast_sidecar.api.http_manage import Instances
        from holdfast_sidecar.api.http_server import make_app
        from holdfast_sidecar.telemetry.metrics import Metrics
    about = About(config.app_id, config.namespace, version, _store_kind(config))
    health = Health(engine, host, metrics=Metrics(host, store, version=version).text, about=about)
    instances = Instances(engine, host, host.clock, wait_max=config.wait_max.total_seconds())
    app = make_app(
        [*health.routes(), *DaprWorkflows(engine).routes(), *instances.routes()],
        version=version,
        request_bytes_max=config.request_bytes_max,
        api_token=config.api_token,
    )
    return app, health


def _directory(path: Path) -> Path:
    if path.name != _DATABASE:
        raise Unstartable(
            f"store {path}: expected a file called {_DATABASE}, found {path.name!r}; the name is fixed, "
            "the directory is yours to choose: --data-dir, or sqlite:///directory/holdfast.db"
        )
    return path.parent


def _store_name(config: Config) -> str:
    return redacted(config.store) if config.store else f"sqlite {config.data_dir / _DATABASE}"


def _store_kind(config: Config) -> str:
    return config.store.partition(":")[0].partition("+")[0] or "sqlite"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not on every system; the standard loop does the same, slower
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", uvloop.new_event_loop)


# -- starting ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def bound_ports(config: Config, clock: Clock) -> AsyncGenerator[Ports]:
    """Whoever lacks what serves them must hear it before the store is opened, or he would fence off who has it."""
    with missing_extra("the HTTP server", "sidecar"):
        import aiohttp  # noqa: F401  # pyright: ignore[reportUnusedImport]
    with listening("http", config.http_address, config.http_port) as listener:
        async with grpc_server.bound(
            address=config.grpc_address, port=config.grpc_port, clock=clock, api_token=config.api_token
        ) as port:
            yield Ports(port, listener)


@asynccontextmanager
async def existing_store(config: Config) -> AsyncGenerator[Store]:
    """A store for looking at what it holds. Refuses to make a database where there is none."""
    url = _store_url(config)
    if isinstance(url, SqliteUrl):
        check_exists(Path(url.path))
    async with _opened(config, SystemClock()) as store:
        yield store


@asynccontextmanager
async def _opened(config: Config, clock: Clock) -> AsyncGenerator[MeasuredStore]:
    store = MeasuredStore(make_store(config), clock)
    try:
        try:
            await store.open(namespace=config.namespace, partitions=config.partitions)
        except (StoreError, StoreMismatch) as error:
            raise Unstartable(f"store {_store_name(config)}: {error}") from error
        yield store
    finally:
        await store.close()


async def _own_all(host: Host, clock: Clock) -> None:
    """Takes every partition under a new epoch: a process of the past that still breathes can write nothing more.

    The epoch is the time in microseconds (which a double holds exactly, as stores that count in doubles need). Reading
    the present fences and adding one would be as good for a restart, but two processes that start at the same time
    would get the same number. A clock that was set back is stepped over.
    """
    partitions = range(host.partitions)
    epoch, step = clock.now_ns() // 1_000, _EPOCH_STEP
    try:
        while len(held := await host.store.acquire(partitions, epoch)) < host.partitions:
            _log.warning("fences are ahead of the clock", extra={"epoch": epoch, "held": len(held)})
            epoch, step = epoch + step, step * 2
        await host.acquire(partitions, epoch)
    except StoreError as error:
        raise Unstartable(f"the store did not give out its partitions: {error}") from error


def _superseded(lifetime: Lifetime) -> Callable[[int], None]:
    """Without placement the one that started last owns everything, so the other one ends instead of serving errors."""

    def lost(_: int) -> None:
        if not lifetime.is_stopping:
            lifetime.exit_code = ExitCode.FAILED
            _log.error(
                "another sidecar took this store's partitions; only one may use a store and namespace without placement"
            )
            lifetime.stop("superseded by another sidecar")

    return lost


# -- running and ending --------------------------------------------------------------------------------------------


@asynccontextmanager
async def _placed(host: Host, member: Member | None, lifetime: Lifetime) -> AsyncGenerator[None]:
    """Owns everything at once when alone; else what placement says, from when it says so."""
    if member is None:
        host.on_lost = _superseded(lifetime)
        await _own_all(host, host.clock)
        yield
        return
    async with member.port, asyncio.TaskGroup() as group:
        tasks = member.node.start(group)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def _running(host: Host) -> AsyncGenerator[asyncio.Task[None]]:
    """The host's loops; gives the committer's, which is the only one with an end: when all is written."""
    async with asyncio.TaskGroup() as group:
        others = asyncio.all_tasks()
        await host.run(group)
        loops = {task.get_name(): task for task in asyncio.all_tasks() - others}
        try:
            yield loops["committer"]
        finally:
            for task in loops.values():
                task.cancel()


async def drain(host: Host, services: Sequence[GrpcService], clock: Clock, *, limit: float) -> None:
    """No new turn starts; what is at workers may end, within `limit` seconds. Then nothing is ours any more."""
    host.pause(is_paused=True)
    deadline = clock.monotonic() + limit
    while (host.pool.running_turns or host.pool.running_activities) and clock.monotonic() < deadline:
        await clock.sleep(_POLL)
    for service in services:
        service.drain()
    await host.drain(max(_SETTLE, deadline - clock.monotonic()))
    host.release(tuple(host.owned))
