"""A cluster that can be troubled in every way: each link can be cut, clients go to any sidecar, registers and bags
are in use, and a witness looks over the store's shoulder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from holdfast_sidecar.compose import existing_store
from holdfast_sidecar.core.state import Stored
from tests.integration.cluster.objects_verdict import check_objects, read_objects
from tests.integration.cluster.processes import Member
from tests.integration.cluster.scene import EXTRA, Cluster
from tests.integration.cluster.witness import PostgresWitness, RedisWitness, Seen, Witness
from tests.integration.crash.grounds import PostgresGround
from tests.support.checker import check_ended
from tests.support.network import Network
from tests.support.procs import Child

PLACEMENTS: Final = 3
STORM_LEASE_S: Final = 2.0  # fifteen busy processes on two cores make nobody silent for so long
_OBJECTS: Final = ("register-", "bag-")


class Storm(Cluster):
    """Always three placements, three members of etcd, and four sidecars."""

    unplanned = (EXTRA, *_OBJECTS)

    def __init__(self, folder: Path, *, store: str, instances: int, seconds: float, seed: int) -> None:
        super().__init__(
            folder,
            store=store,
            hosts=4,
            placements=PLACEMENTS,
            etcds=3,
            instances=instances,
            span_s=seconds,
            seed=seed,
            lease_s=STORM_LEASE_S,
        )
        self.network = Network()
        self.lost = 0  # partitions given up because a commit was refused, by processes that are gone
        self._entrances: dict[str, str] = {}
        self._witness: Witness | None = None
        self._player: Child | None = None

    def begin(self) -> None:
        self.network.__enter__()
        for number in range(PLACEMENTS):
            self._name(f"p{number}")  # before they run: they connect at once
        super().begin()
        args: list[str | Path] = [self.clients_at, str(self.seed), str(self.span_s), self.folder]
        log = self.folder / "objects.log"
        self._player = Child.python("-m", "tests.integration.cluster.objects", *args, log=log, name="objects")

    def store_has_started(self) -> None:
        if isinstance(self.ground, PostgresGround):
            asyncio.run(self._make_tables())
            self._witness = PostgresWitness(self.ground.psql)
        else:
            self._witness = RedisWitness(self.ground.url)

    async def _make_tables(self) -> None:
        async with existing_store(self.config):
            pass

    def reach(self, name: str, address: str) -> str:
        """One entrance each, where everybody is told from whom else."""
        if name not in self._entrances:
            port = self.network.expose(name, int(address.rpartition(":")[2]))
            self._entrances[name] = f"127.0.0.1:{port}"
            self._name(name)
        return self._entrances[name]

    def _name(self, name: str) -> None:
        self.network.name(name, lambda: self._pid(name))

    def _pid(self, name: str) -> int | None:
        """Of a sidecar or a placement: only they connect to somebody."""
        children = {host.name: host.child for host in self.hosts}
        if self._placement is not None:
            children |= {replica.id: replica.child for replica in self._placement.all}
        child = children.get(name)
        return None if child is None else child.pid

    @property
    def clients_at(self) -> str:
        return ",".join(host.address for host in self.hosts)

    # -- what is at an end ---------------------------------------------------------------------------------------------

    def noting_lost(self, *hosts: Member) -> None:
        """Before they are killed: what they count dies with them."""
        for host in hosts:
            try:
                self.lost += host.lost
            except OSError:
                continue

    def seen(self) -> Seen:
        assert self._witness is not None
        return self._witness.seen()

    def rest(self) -> Iterator[str]:
        assert self._player is not None
        try:
            if code := self._player.wait_exit(timeout=self.span_s + self.rest_s):
                yield f"objects: ended with {code}: {self._player.output()[-2000:]}"
        except AssertionError as error:
            yield str(error)
        yield from super().rest()
        self.noting_lost(*self.hosts)
        if wrote := self.seen().wrote:
            yield f"{wrote} commits of superseded owners were written"

    def judge(self, found: Mapping[str, Stored]) -> Iterator[str]:
        yield from super().judge(found)
        for one, stored in found.items():
            if one.startswith(_OBJECTS):
                yield from check_ended(stored)
        yield from check_objects(read_objects(self.folder))

    def close(self) -> None:
        if self._player is not None and self._player.is_running:
            self._player.kill()
        super().close()
        if self._witness is not None:
            self._witness.close()
        self.network.__exit__()
