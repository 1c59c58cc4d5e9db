"""One run: start everything, kill it again and again, let it come to rest, look at what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from holdfast._state import Filter
from holdfast.client import Client
from holdfast_placement.table import partition_of
from holdfast_sidecar.compose import existing_store
from holdfast_sidecar.config import load_config
from holdfast_sidecar.core import state
from holdfast_sidecar.core.state import Stored
from tests.integration.crash.grounds import GROUNDS
from tests.integration.crash.plan import make_plan
from tests.integration.crash.processes import App, Sidecar, errors_in
from tests.integration.crash.verdict import Evidence
from tests.support.checker import Disruption
from tests.support.procs import Child, wait_until

PER_KILL_S: Final = 1.6  # of load, so that the last kill meets the last starts
GRACE_NS: Final = 3_000_000_000  # after a restart: loading and sending again what was in flight
REST_S: Final = 60.0
_PAGE: Final = 500


@dataclass(frozen=True)
class Settings:
    store: str
    instances: int
    kills: int
    seed: int

    @property
    def reproduction(self) -> str:
        return (
            f"python -m tests.integration.crash --store {self.store} --instances {self.instances} "
            f"--kills {self.kills} --seed {self.seed}"
        )


@dataclass(frozen=True)
class Result:
    settings: Settings
    violations: list[str]
    facts: str
    seconds: float

    def __str__(self) -> str:
        verdict = "OK" if not self.violations else f"{len(self.violations)} VIOLATIONS"
        return f"{self.settings.store}: {verdict}; {self.facts}; {self.seconds:.1f} s; seed {self.settings.seed}"


def crash_run(settings: Settings, folder: Path) -> Result:
    """Keeps logs and journals in the folder."""
    began = time.monotonic()
    run = _Run(settings, folder)
    try:
        violations = list(run.play())
    finally:
        run.close()
    return Result(settings, violations, run.facts, time.monotonic() - began)


class _Run:
    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._rng = Random(settings.seed)
        self._span = PER_KILL_S * settings.kills
        self._plan = make_plan(seed=settings.seed, instances=settings.instances, span_s=self._span)
        self._ground = GROUNDS[settings.store](folder / "data")
        self._sidecar = Sidecar(folder, store=self._ground.url)
        self._disruptions: list[Disruption] = []
        self._app: App | None = None
        self._client: Child | None = None
        self._config = load_config(None, {}, {"data_dir": str(folder / "data"), "store": self._ground.url or None})
        self.facts = ""

    def play(self) -> Iterator[str]:
        self._begin()
        yield from self._torment()
        yield from self._rest()
        self._sidecar.process.terminate()
        evidence = Evidence(self._folder, self._plan, asyncio.run(self._all()), self._disruptions)
        self.facts = f"{self._what_died()}; {evidence.facts()}"
        yield from evidence.violations()
        yield from self._purge()
        yield from (f"sidecar: {line}" for line in errors_in(self._folder / "sidecar.log"))

    # -- the run -------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        settings = self._settings
        self._ground.start()
        self._sidecar.start()
        self._sidecar.wait_ready()
        self._app = App(self._folder, self._sidecar.address)
        numbers = [str(number) for number in (settings.seed, settings.instances, self._span)]
        args: list[str | Path] = ["-m", "tests.integration.crash.client", self._sidecar.address, *numbers, self._folder]
        self._client = Child.python(*args, log=self._folder / "client.log", name="client")

    def _torment(self) -> Iterator[str]:
        kills = self._settings.kills
        servers = set(range(1, kills, max(2, kills // 4))) if self._ground.has_server else set[int]()
        for number in range(kills):
            time.sleep(self._rng.uniform(0.1, 2 * PER_KILL_S - 0.7))  # the instant is what is random here
            if number % 4 == 2:
                self._kill_app()
            if not self._sidecar.process.is_running:
                yield f"the sidecar ended by itself with {self._sidecar.process.returncode}"
            self._kill_sidecar(with_server=number in servers)
            if number in servers:
                time.sleep(self._rng.uniform(0.0, 1.5))
                self._kill_server_alone()

    def _kill_sidecar(self, *, with_server: bool) -> None:
        begin = time.time_ns()
        self._sidecar.process.kill()
        if with_server:
            self._ground.kill_server()
            self._ground.start_server()
        self._sidecar.start()
        if with_server:  # one that is starting may rightly end when its store goes away
            self._sidecar.wait_ready()
        self._disruptions.append(Disruption("sidecar", begin, time.time_ns() + GRACE_NS))

    def _kill_server_alone(self) -> None:
        """Under a sidecar that goes on."""
        begin = time.time_ns()
        self._ground.kill_server()
        time.sleep(self._rng.uniform(0.0, 0.5))
        self._ground.start_server()
        self._disruptions.append(Disruption("server", begin, time.time_ns() + GRACE_NS))

    def _kill_app(self) -> None:
        assert self._app is not None
        begin = time.time_ns()
        self._app.child.kill()
        time.sleep(self._rng.uniform(0.0, 0.3))
        self._app.start()
        self._disruptions.append(Disruption("app", begin, time.time_ns() + GRACE_NS))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _rest(self) -> Iterator[str]:
        """Everything has ended, and nothing stands for work any more."""
        assert self._client is not None
        try:
            self._sidecar.wait_ready()
            if code := self._client.wait_exit(timeout=self._span + REST_S):
                yield f"client: ended with {code}: {self._client.output()[-2000:]}"
            wait_until(lambda: not self._ground.in_flight(), "nothing in flight", timeout=REST_S)
        except AssertionError as error:
            yield f"{error}; in flight: {self._ground.in_flight()[:20]}"

    async def _all(self) -> Mapping[str, Stored]:
        found = dict[str, Stored]()
        async with existing_store(self._config) as store:
            cursor = ""
            while True:
                page = await store.query(state.Filter(), limit=_PAGE, cursor=cursor)
                ids = [(partition_of(view.record.id, self._config.partitions), view.record.id) for view in page.views]
                found |= {stored.record.id: stored for stored in await store.load(ids) if stored is not None}
                cursor = page.cursor
                if not cursor:
                    return found

    def _purge(self) -> Iterator[str]:
        """With everything purged, nothing at all is left."""
        self._sidecar.start()
        self._sidecar.wait_ready()
        asyncio.run(self._purge_all())
        if code := self._sidecar.process.terminate():
            yield f"sidecar: expected to drain and end with 0, found {code}"
        if left := self._ground.residue():
            yield f"after the purge of everything {len(left)} rows are left: {left[:10]}"

    async def _purge_all(self) -> None:
        async with Client(self._sidecar.address) as client:
            await client.purge(Filter())

    def _what_died(self) -> str:
        died = [disruption.what for disruption in self._disruptions]
        return ", ".join(f"{died.count(what)} {what} kills" for what in dict.fromkeys(died))

    def close(self) -> None:
        for process in (self._client, None if self._app is None else self._app.child):
            if process is not None and process.is_running:
                process.kill()
        self._sidecar.close()
        self._ground.close()
