"""A whole cluster at work on a plan: etcd, placement, sidecars with an app each, a store, and a client that is never
killed. What becomes of it is judged as after a crash of a single sidecar."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, Final, Self

from holdfast.client import Client
from holdfast_placement.table import partition_of
from holdfast_sidecar.compose import existing_store
from holdfast_sidecar.config import load_config
from holdfast_sidecar.core import state
from holdfast_sidecar.core.state import Stored
from tests.integration.cluster.processes import PARTITIONS, Member
from tests.integration.crash.grounds import GROUNDS
from tests.integration.crash.plan import make_plan
from tests.integration.crash.processes import App, errors_in
from tests.integration.crash.verdict import Evidence
from tests.integration.placement.replicas import Replicas
from tests.support.checker import Disruption
from tests.support.etcd import Etcd
from tests.support.procs import Child, wait_until
from tests.support.workload import Sum

LEASE_S: Final = 1.0
GRACE_NS: Final = 5_000_000_000  # after a change of owners: sending again what was in flight
PATIENT_LEASE_S: Final = 5.0  # for what must not be disturbed: a busy machine makes nobody silent for so long
REST_S: Final = 120.0  # deadlines are for what never comes, however busy the machine is
OWNED_S: Final = 90.0
EXTRA: Final = "extra-"  # begins the ids of instances that are not in the plan
MORE: Final = 30  # commits, of some hundreds
_PAGE: Final = 500


class Cluster:
    """`span_s`: over how many seconds instances are started. Logs and journals stay in the folder."""

    unplanned: tuple[str, ...] = (EXTRA,)

    def __init__(
        self,
        folder: Path,
        *,
        store: str = "redis",
        hosts: int = 3,
        placements: int = 1,
        etcds: int = 1,
        instances: int = 68,
        span_s: float = 6.0,
        seed: int | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self.folder = folder
        self.span_s = span_s
        self.seed = SystemRandom().randrange(10**9) if seed is None else seed
        self.plan = make_plan(seed=self.seed, instances=instances, span_s=span_s)
        self.ground = GROUNDS[store](folder / "data")
        self.etcd = Etcd(members=etcds)
        self.hosts: list[Member] = []
        self.apps: list[App] = []
        self.disruptions: list[Disruption] = []
        self.lease_s = lease_s
        self.rest_s = REST_S
        self.evidence: Evidence | None = None  # once there is a verdict
        self._extra = 0
        self._wanted = (hosts, placements, instances)
        self._placement: Replicas | None = None
        self._client: Child | None = None
        self.config = load_config(
            None, {}, {"data_dir": str(folder / "data"), "store": self.ground.url, "partitions": PARTITIONS}
        )

    # -- at work -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Everything runs, every partition has an owner, and the client is at work."""
        hosts, placements, instances = self._wanted
        self.ground.start()
        self.store_has_started()
        self.etcd.start()
        settings = {"lease": f"{self.lease_s:g}s"}
        etcds = [self.reach(f"etcd-{number}", address) for number, address in enumerate(self.etcd.endpoints)]
        self._placement = Replicas(etcds, number=placements, settings=settings)
        for replica in self.placement.all:
            replica.wait_ready()
        for _ in range(hosts):
            self.add_host()
        self.wait_owned()
        args: list[str | Path] = ["-m", "tests.integration.crash.client", self.clients_at]
        args += [str(self.seed), str(instances), str(self.span_s), self.folder]
        self._client = Child.python(*args, log=self.folder / "client.log", name="client")

    def add_host(self) -> Member:
        """One more sidecar with an app."""
        name = f"sidecar-{len(self.hosts)}"
        placement = [self.reach(replica.id, replica.address) for replica in self.placement.all]
        at = f"127.0.0.1:{self.ground.port}"
        store = self.ground.url.replace(at, self.reach("store", at))
        member = Member(self.folder, name=name, store=store, placement=placement)
        member.told_peers(self.reach(name, f"127.0.0.1:{member.peer_port}"))
        self.hosts.append(member)
        member.start()
        self.apps.append(App(self.folder, member.address, name=f"app-{len(self.apps)}"))
        return member

    def store_has_started(self) -> None:
        """Before anybody else uses it."""

    def reach(self, name: str, address: str) -> str:
        """Where the others find what listens there."""
        return address

    @property
    def clients_at(self) -> str:
        """Addresses of the sidecars that the client uses, with commas."""
        return self.hosts[0].address

    @property
    def placement(self) -> Replicas:
        if self._placement is None:
            raise RuntimeError("placement: expected to run, call begin()")
        return self._placement

    @property
    def client(self) -> Child:
        if self._client is None:
            raise RuntimeError("client: expected to run, call begin()")
        return self._client

    def shares(self, replica: int = 0) -> dict[str, int]:
        """How many partitions each host has, as placement sees it."""
        apps: Sequence[dict[str, Any]] = self.placement[replica].state()["apps"]
        return {host["id"]: host["partitions"] for app in apps for host in app["hosts"]}

    def wait_owned(self, *hosts: Member, timeout: float = OWNED_S) -> None:
        """These hosts, or all, have fenced every partition and share them."""
        among = hosts or tuple(self.hosts)

        def all_owned() -> bool:
            owned = [_owned(host) for host in among]
            return sum(owned) == PARTITIONS and all(owned)

        names = ", ".join(host.name for host in among)
        wait_until(all_owned, f"all partitions owned by {names}", timeout=timeout)

    def wait_busy(self) -> None:
        """More of the plan is done than was when this was called, or all of it."""
        wanted = self._commits() + MORE

        def is_busy() -> bool:
            return not self.client.is_running or self._commits() >= wanted

        wait_until(is_busy, f"{MORE} more commits", timeout=OWNED_S)

    def _commits(self) -> float:
        return sum(host.commits for host in self.hosts)

    def complete_more(self) -> None:
        """At each sidecar a new workflow is started and comes to its end."""
        asyncio.run(self._complete_more())

    async def _complete_more(self) -> None:
        for host in self.hosts:
            self._extra += 1
            async with asyncio.timeout(OWNED_S), Client(host.address) as client:
                await client.run("chain", Sum(seed=self._extra, count=3), id=f"{EXTRA}{self._extra}")

    @contextmanager
    def disturbing(self, what: str) -> Generator[None]:
        """Around what may make an activity run again."""
        begin = time.time_ns()
        yield
        self.disruptions.append(Disruption(what, begin, time.time_ns() + GRACE_NS))

    # -- at rest -------------------------------------------------------------------------------------------------------

    def rest(self) -> Iterator[str]:
        """Everything has ended, and nothing stands for work any more. Else gives what is in the way."""
        try:
            if code := self.client.wait_exit(timeout=self.span_s + self.rest_s):
                yield f"client: ended with {code}: {self.client.output()[-2000:]}"
            wait_until(lambda: not self.ground.in_flight(), "nothing in flight", timeout=self.rest_s)
        except AssertionError as error:
            yield f"{error}; in flight: {self.ground.in_flight()[:20]}"

    def verdict(self, *, allowed: Sequence[str] = ()) -> list[str]:
        """Lets it come to rest and ends it; an empty list is what is wanted. `allowed`: errors that are expected."""
        problems = list(self.rest())
        for app in self.apps:
            app.close()
        for host in self.hosts:
            if host.process.is_running and (code := host.process.terminate(timeout=OWNED_S)):
                problems.append(f"{host.name}: expected to end with 0, found {code}")
        problems += self.judge(asyncio.run(self.stored()))
        problems += [line for line in self._complaints() if not any(text in line for text in allowed)]
        return [f"seed {self.seed}: {problem}" for problem in problems]

    def judge(self, found: Mapping[str, Stored]) -> Iterator[str]:
        """What is wrong with what lies in the store."""
        self.evidence = Evidence(self.folder, self.plan, found, self.disruptions, unplanned=self.unplanned)
        print(self.evidence.facts())
        yield from self.evidence.violations()

    async def stored(self) -> Mapping[str, Stored]:
        """Everything that lies in the store."""
        found = dict[str, Stored]()
        async with existing_store(self.config) as store:
            cursor = ""
            while True:
                page = await store.query(state.Filter(), limit=_PAGE, cursor=cursor)
                ids = [(partition_of(v.record.id, PARTITIONS), v.record.id) for v in page.views]
                found |= {stored.record.id: stored for stored in await store.load(ids) if stored is not None}
                cursor = page.cursor
                if not cursor:
                    return found

    def _complaints(self) -> Iterator[str]:
        for log in self.folder.glob("sidecar*.log"):
            yield from (f"{log.name}: {line}" for line in errors_in(log))

    def close(self) -> None:
        for app in self.apps:
            app.close()
        for child in [self._client, *(host.child for host in self.hosts)]:
            if child is not None and child.is_running:
                child.kill()
        if self._placement is not None:
            self._placement.__exit__()
        self.etcd.close()
        self.ground.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _owned(host: Member) -> int:
    """None is owned by a host that does not answer, or that knows it has no word of placement."""
    try:
        return host.owned
    except OSError:
        return 0
