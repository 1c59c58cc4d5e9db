"""Puts a replica together. The only file that names concrete classes and that imports, late, what extras bring."""

import asyncio
import faulthandler
import importlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc

from holdfast_kit.backoff import Backoff
from holdfast_kit.clock import Clock, SystemClock
from holdfast_kit.config import ConfigErrors
from holdfast_kit.ids import Ids, SystemIds
from holdfast_kit.serve import ExitCode, Lifetime
from holdfast_kit.tls import CertificateWatcher, TlsError
from holdfast_placement.config import Config, EtcdConfig
from holdfast_placement.credentials import server_credentials
from holdfast_placement.etcd import TRY_TIMEOUT, Etcd, Login
from holdfast_placement.etcd_errors import EtcdError
from holdfast_placement.etcd_lease import LeaseKeeper
from holdfast_placement.health import WEDGED_AFTER, LoopWatch, Pulse
from holdfast_placement.hub import Hub
from holdfast_placement.keys import Keys
from holdfast_placement.members import Members
from holdfast_placement.mirror import Mirror
from holdfast_placement.server import STREAMS_MAX, PlacementServer, ServerRules, server_options
from holdfast_placement.state import State, gather
from holdfast_placement.stats import Stats
from holdfast_placement.view import View

_log = logging.getLogger(__name__)
_EXTRA_MODULES = ("aiohttp", "prometheus_client", "uhashring", "yaml")
_LAST_WORDS = timedelta(seconds=2)


class MissingExtra(Exception):
    """A library of the extra `placement` is not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(f"holdfast placement needs the module {module!r}: pip install 'holdfast[placement]'")
        self.module = module


class PortTaken(Exception):
    """Another process listens there already, perhaps this program started twice."""


def check_extras() -> None:
    for module in _EXTRA_MODULES:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingExtra(error.name or module) from error


def read_yaml(path: Path) -> Mapping[str, object]:
    """Raises `ConfigErrors` for a file that cannot be read or is no YAML mapping."""
    import yaml

    try:
        found: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigErrors([f"{path}: expected a YAML file, found {error}"]) from error
    if not isinstance(found, Mapping | None):
        raise ConfigErrors([f"{path}: expected a mapping, found {type(found).__name__}"])
    return cast("Mapping[str, object]", found or {})


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it can be had: a sixth less CPU."""
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ModuleNotFoundError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@dataclass(frozen=True, slots=True)
class Ports:
    grpc: int
    http: int


class Replica:
    """One placement replica as a service of `kit.serve`."""

    def __init__(
        self, config: Config, *, clock: Clock | None = None, ids: Ids | None = None, watch_loop: bool = False
    ) -> None:
        """`watch_loop` prints the stack to standard error should the event loop stand still."""
        self._config = config
        self._clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._arm = _arm_watchdog if watch_loop else lambda: None

    async def __call__(self, lifetime: Lifetime) -> None:
        """Listens, logs the ports, and serves until the lifetime ends."""
        try:
            await self.run(lifetime, lambda _: None)
        except (PortTaken, TlsError, OSError) as error:
            _log.error("cannot start", extra={"reason": str(error)})
            lifetime.exit_code = ExitCode.FAILED
            lifetime.stop("cannot start")

    async def run(self, lifetime: Lifetime, listening: Callable[[Ports], None]) -> None:
        parts = self._parts()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.etcd.close)
            http_port = await stack.enter_async_context(self._http(parts))
            server, grpc_port = self._grpc(parts)
            await server.start()
            listening(Ports(grpc_port, http_port))
            _log.info(
                "placement listens",
                extra={"replica_id": self._config.replica, "grpc_port": grpc_port, "http_port": http_port},
            )
            async with asyncio.TaskGroup() as group:
                agents = [group.create_task(run(), name=name) for name, run in parts.agents.items()]
                await lifetime.stopping()
                await self._drain(parts, server)
                for agent in agents:
                    agent.cancel()

    def _parts(self) -> "_Parts":
        from holdfast_placement.leadership import LeaderRules, Leadership  # it needs uhashring

        config, clock = self._config, self._clock
        stats, pulse, keys = Stats(), Pulse(clock), Keys(config.etcd.prefix)
        etcd = _etcd(config.etcd, clock)
        keeper = LeaseKeeper(
            etcd, clock=clock, backoff=self._backoff(), answer_timeout=TRY_TIMEOUT, beat=pulse.agent("leases")
        )
        mirror = Mirror(etcd, View(keys), clock=clock, backoff=self._backoff, beat=pulse.agent("mirror"))
        members = Members(etcd, keeper, keys=keys, replica_id=config.replica, lease=config.lease, clock=clock)
        hub = Hub()
        rules = ServerRules(config.replica, config.lease, config.trust_domain if config.tls.files else None)
        server = PlacementServer(etcd, mirror, members, hub, rules=rules, clock=clock, stats=stats)
        leadership = Leadership(
            etcd,
            mirror,
            members,
            keeper,
            replica_id=config.replica,
            http_address=config.http.address,
            rules=LeaderRules(config.leader_lease, config.coalesce, config.patience),
            clock=clock,
            rng=self._ids.random(),
            stats=stats,
            beat=pulse.agent("leadership"),
        )
        watch = LoopWatch(clock, stats, arm=self._arm, beat=pulse.agent("loop"))

        def state() -> State:
            return gather(
                mirror.view,
                stats,
                replica_id=config.replica,
                is_leader=leadership.is_leader,
                is_loaded=mirror.is_loaded,
                etcd_silence_s=etcd.silence().total_seconds(),
                hosts_connected=server.hosts,
            )

        agents = {
            "mirror": mirror.run,
            "leases": keeper.run,
            "leadership": leadership.run,
            "server": server.run,
            "loop": watch.run,
        }
        return _Parts(etcd, server, leadership.resign, state, stats, pulse, agents)

    def _backoff(self) -> Backoff:
        return Backoff(self._ids.random(), base=timedelta(milliseconds=50), cap=timedelta(seconds=1))

    def _grpc(self, parts: "_Parts") -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server(options=server_options(), maximum_concurrent_rpcs=STREAMS_MAX)
        server.add_generic_rpc_handlers((parts.server.handler(),))
        address, files = self._config.listen.address, self._config.tls.files
        try:
            if files is not None:
                port = server.add_secure_port(address, server_credentials(CertificateWatcher(files)))
            else:
                port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise _taken(address, str(error)) from error
        if files is None and self._config.listen.host not in ("127.0.0.1", "localhost", "::1", "[::1]"):
            _log.warning("listening without TLS, whoever reaches the port can join", extra={"address": address})
        return server, port

    @asynccontextmanager
    async def _http(self, parts: "_Parts") -> AsyncGenerator[int]:
        from aiohttp import web

        from holdfast_placement.http import application
        from holdfast_placement.metrics import StatsCollector, exposition

        metrics = exposition(StatsCollector(parts.stats, parts.state))
        runner = web.AppRunner(application(parts.state, parts.pulse, metrics), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._config.http.host, self._config.http.port)
            try:
                await site.start()
            except OSError as error:
                raise _taken(self._config.http.address, str(error)) from error
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _drain(self, parts: "_Parts", server: grpc.aio.Server) -> None:
        parts.server.drain()
        try:
            async with asyncio.timeout(_LAST_WORDS.total_seconds()):
                await parts.resign()
        except (EtcdError, TimeoutError) as error:
            _log.warning("leadership not resigned, its lease ends by itself", extra={"reason": str(error)})
        await server.stop(_LAST_WORDS.total_seconds())


@dataclass(frozen=True, slots=True)
class _Parts:
    etcd: Etcd
    server: PlacementServer
    resign: Callable[[], Any]
    state: Callable[[], State]
    stats: Stats
    pulse: Pulse
    agents: dict[str, Callable[[], Any]]


def _etcd(config: EtcdConfig, clock: Clock) -> Etcd:
    files = config.tls.files
    password = config.password_file.read_text(encoding="utf-8").strip() if config.password_file else config.password
    return Etcd(
        config.endpoints,
        clock=clock,
        certificates=CertificateWatcher(files) if files else None,
        login=Login(config.user, password) if config.user and password else None,
    )


def _taken(address: str, reason: str) -> PortTaken:
    return PortTaken(f"address {address}: expected it to be free, found {reason}; does another placement run here?")


def _arm_watchdog() -> None:
    faulthandler.dump_traceback_later(WEDGED_AFTER.total_seconds(), exit=False)
