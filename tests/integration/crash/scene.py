"""A sidecar, an app and a client at work on a plan; how it comes to rest, and what is then looked at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

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

GRACE_NS: Final = 3_000_000_000  # after a restart: loading and sending again what was in flight
REST_S: Final = 120.0  # a deadline for what never comes, however busy the machine is
MORE: Final = 25  # turns, of some hundreds
_TURNS: Final = "holdfast_turns_total"
_PAGE: Final = 500


class Scene:
    """`span_s`: over how many seconds instances are started. Logs and journals stay in the folder."""

    def __init__(self, folder: Path, *, store: str, instances: int, seed: int, span_s: float) -> None:
        self.folder = folder
        self.span_s = span_s
        self.plan = make_plan(seed=seed, instances=instances, span_s=span_s)
        self.ground = GROUNDS[store](folder / "data")
        self.sidecar = Sidecar(folder, store=self.ground.url)
        self.apps: list[App] = []
        self.disruptions: list[Disruption] = []
        self._numbers = [str(number) for number in (seed, instances, span_s)]
        self._client: Child | None = None
        self._config = load_config(None, {}, {"data_dir": str(folder / "data"), "store": self.ground.url or None})

    # -- at work -------------------------------------------------------------------------------------------------------

    def begin(self, *, apps: int = 1) -> None:
        self.ground.start()
        self.sidecar.start()
        self.sidecar.wait_ready()
        for _ in range(apps):
            self.add_app(self.sidecar.address)
        args: list[str | Path] = ["-m", "tests.integration.crash.client", self.sidecar.address, *self._numbers]
        self._client = Child.python(*args, self.folder, log=self.folder / "client.log", name="client")

    def add_app(self, address: str) -> App:
        app = App(self.folder, address, name=f"app{len(self.apps)}")
        self.apps.append(app)
        return app

    def wait_busy(self) -> None:
        """More of the plan is done than was when this was called, or all of it."""
        wanted = self.sidecar.metric(_TURNS) + MORE

        def is_busy() -> bool:
            return not self.client.is_running or self.sidecar.metric(_TURNS) >= wanted

        wait_until(is_busy, f"{MORE} more turns", timeout=REST_S)

    def wait_workers(self, number: int) -> None:
        wait_until(lambda: self.sidecar.metric("holdfast_workers") == number, f"{number} workers", timeout=REST_S)

    @contextmanager
    def disturbing(self, what: str) -> Generator[None]:
        """Around what may make an activity run again."""
        begin = time.time_ns()
        yield
        self.disruptions.append(Disruption(what, begin, time.time_ns() + GRACE_NS))

    @property
    def client(self) -> Child:
        if self._client is None:
            raise RuntimeError("client: expected to run, call begin()")
        return self._client

    # -- at rest -------------------------------------------------------------------------------------------------------

    def rest(self) -> Iterator[str]:
        """Everything has ended, and nothing stands for work any more. Else gives what is in the way."""
        try:
            self.sidecar.wait_ready()
            if code := self.client.wait_exit(timeout=self.span_s + REST_S):
                yield f"client: ended with {code}: {self.client.output()[-2000:]}"
            wait_until(lambda: not self.ground.in_flight(), "nothing in flight", timeout=REST_S)
        except AssertionError as error:
            yield f"{error}; in flight: {self.ground.in_flight()[:20]}"

    def evidence(self) -> Evidence:
        """Everything that lies in the store (of the embedded one while no sidecar holds it), and what others noted."""
        return Evidence(self.folder, self.plan, self.stored(), self.disruptions)

    def stored(self) -> Mapping[str, Stored]:
        return asyncio.run(self._all())

    async def _all(self) -> Mapping[str, Stored]:
        found = dict[str, Stored]()
        async with existing_store(self._config) as store:
            cursor = ""
            while True:
                page = await store.query(state.Filter(), limit=_PAGE, cursor=cursor)
                ids = [(partition_of(v.record.id, self._config.partitions), v.record.id) for v in page.views]
                found |= {stored.record.id: stored for stored in await store.load(ids) if stored is not None}
                cursor = page.cursor
                if not cursor:
                    return found

    def purge(self) -> Iterator[str]:
        """With everything purged, nothing at all is left. Starts the sidecar, and ends it politely."""
        self.sidecar.start()
        self.sidecar.wait_ready()
        asyncio.run(self._purge_all())
        if code := self.sidecar.process.terminate():
            yield f"sidecar: expected to drain and end with 0, found {code}"
        if left := self.ground.residue():
            yield f"after the purge of everything {len(left)} rows are left: {left[:10]}"

    async def _purge_all(self) -> None:
        async with Client(self.sidecar.address) as client:
            await client.purge(Filter())

    def complaints(self) -> Iterator[str]:
        """What the sidecar says that a person should look at."""
        for log in self.folder.glob("sidecar*.log"):
            yield from (f"{log.name}: {line}" for line in errors_in(log))

    def close(self) -> None:
        for app in self.apps:
            app.close()
        if self._client is not None and self._client.is_running:
            self._client.kill()
        self.sidecar.close()
        self.ground.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()
