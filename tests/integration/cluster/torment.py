"""What is done to a cluster: processes that die or stand still, links that fail, planned changes. All of it again and
again in an order that the seed gives, each over before the next begins, so that what follows it can be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from tests.integration.cluster.processes import Member
from tests.integration.cluster.storm import STORM_LEASE_S, Storm
from tests.support.procs import Child

BETWEEN_S: Final = (0.3, 2.0)
OWNED_S: Final = 90.0  # for all partitions to have an owner again: many times what an idle machine takes


class Torment:
    def __init__(self, storm: Storm, *, seed: int) -> None:
        self.storm = storm
        self.rng = Random(seed)
        self.did: list[str] = []
        self.deeds: tuple[Callable[[], None], ...] = (
            self.kill_sidecar, self.kill_two_sidecars, self.pause_sidecar, self.leave, self.join, self.kill_app,
            self.pause_app, self.kill_placement, self.pause_placement, self.kill_etcd_member, self.pause_etcd_member,
            self.lose_etcd_quorum, self.lose_placement_and_etcd, self.kill_store, self.restart_all_in_turn,
            self.cut_sidecar_from_placement, self.cut_sidecar_from_store, self.cut_sidecar_from_sidecar,
            self.cut_sidecar_from_all, self.cut_all_from_store, self.cut_placement_from_etcd,
            self.cut_all_placements_from_etcd, self.split_in_two,
        )  # fmt: skip

    def play(self, seconds: float) -> Iterator[str]:
        """Gives what must not happen even now."""
        until = time.monotonic() + seconds
        while True:
            for deed in self.rng.sample(self.deeds, len(self.deeds)):
                if time.monotonic() >= until:
                    return
                time.sleep(self.rng.uniform(*BETWEEN_S))
                if problem := self.do(deed):
                    yield problem
                    return

    def do(self, deed: Callable[[], None]) -> str:
        """Until everything has an owner again. Gives what must not happen even now, or nothing."""
        self.did.append(deed.__name__)
        try:
            with self.storm.disturbing(deed.__name__):
                deed()
                self.storm.wait_owned(timeout=OWNED_S)
        except AssertionError as error:
            self.storm.network.heal_all()
            return f"{deed.__name__}: {error}"
        return ""

    # -- processes -----------------------------------------------------------------------------------------------------

    def kill_sidecar(self) -> None:
        self._kill(self._host())

    def kill_two_sidecars(self) -> None:
        self._kill(*self.rng.sample(self.storm.hosts, 2))

    def _kill(self, *hosts: Member) -> None:
        self.storm.noting_lost(*hosts)
        for one in hosts:
            one.process.kill()
        if self.rng.random() < 0.5:
            self._wait_owned_without(*hosts)
        for one in hosts:
            one.start()

    def pause_sidecar(self) -> None:
        """Beyond its lease: it comes back with turns in its hands that are another's by then."""
        one = self._host()
        one.process.pause()
        try:
            self._wait_owned_without(one)
        finally:
            one.process.resume()

    def leave(self) -> None:
        one = self._host()
        self._end_politely(one)
        if self.rng.random() < 0.5:
            self._wait_owned_without(one)
        one.start()

    def _end_politely(self, one: Member) -> None:
        self.storm.noting_lost(one)
        code = one.process.terminate()
        assert code == 0, f"{one.name}: expected to end with 0, found {code}"

    def join(self) -> None:
        """A fifth one comes, takes its share, and leaves again."""
        one = self.storm.add_host()
        self.storm.wait_owned(timeout=OWNED_S)
        self._end_politely(one)
        self.storm.hosts.remove(one)
        self.storm.apps.pop().close()

    def kill_app(self) -> None:
        app = self.rng.choice(self.storm.apps)
        app.child.kill()
        self._while_away(1.0)
        app.start()

    def pause_app(self) -> None:
        self._pause(self.rng.choice(self.storm.apps).child)

    def kill_placement(self) -> None:
        one = self.rng.choice(self.storm.placement.all)
        one.child.kill()
        self._while_away()
        one.restart()
        one.wait_ready()

    def pause_placement(self) -> None:
        self._pause(self.rng.choice(self.storm.placement.all).child)

    def kill_etcd_member(self) -> None:
        self._kill_etcd(self.rng.randrange(3))

    def pause_etcd_member(self) -> None:
        self._pause(self.storm.etcd.child(self.rng.randrange(3)))

    def lose_etcd_quorum(self) -> None:
        self._kill_etcd(*self.rng.sample(range(3), 2))

    def _kill_etcd(self, *members: int) -> None:
        for member in members:
            self.storm.etcd.kill(member)
        self._while_away()
        self.storm.etcd.start_some(members)

    def lose_placement_and_etcd(self) -> None:
        for replica in self.storm.placement.all:
            replica.child.kill()
        self._kill_etcd(0, 1, 2)
        for replica in self.storm.placement.all:
            replica.restart()
        for replica in self.storm.placement.all:
            replica.wait_ready()

    def kill_store(self) -> None:
        self.storm.ground.kill_server()
        self._while_away(1.0)
        self.storm.ground.start_server()

    def restart_all_in_turn(self) -> None:
        for member in range(3):
            self.storm.etcd.restart(member)
        for replica in self.storm.placement.all:
            code = replica.child.terminate()
            assert code == 0, f"{replica.id}: expected to end with 0, found {code}"
            replica.restart()
            replica.wait_ready()
        for one in self.storm.hosts:
            self._end_politely(one)
            one.start()
            self.storm.wait_owned(timeout=OWNED_S)

    # -- links ---------------------------------------------------------------------------------------------------------

    def cut_sidecar_from_placement(self) -> None:
        one = self._host()
        self._cut([(one.name, replica.id) for replica in self.storm.placement.all])

    def cut_sidecar_from_store(self) -> None:
        self._cut([(self._host().name, "store")])

    def cut_sidecar_from_sidecar(self) -> None:
        one, other = sorted(self.rng.sample([host.name for host in self.storm.hosts], 2))
        self._cut([(one, other)])  # the one with the smaller id calls

    def cut_sidecar_from_all(self) -> None:
        """Until the others own all; then what it had said to the store arrives, before anything else does."""
        one, network = self._host(), self.storm.network
        pairs = [(one.name, replica.id) for replica in self.storm.placement.all]
        for other in self.storm.hosts:
            pairs += [(one.name, other.name), (other.name, one.name)]
        for pair in [(one.name, "store"), *pairs]:
            network.hold(*pair)
        self._wait_owned_without(one)
        network.heal(one.name, "store")
        self._while_away(1.0)
        for pair in pairs:
            network.heal(*pair, resets=self.rng.random() < 0.5)

    def cut_all_from_store(self) -> None:
        self._cut([(one.name, "store") for one in self.storm.hosts])

    def cut_placement_from_etcd(self) -> None:
        one = self.rng.choice(self.storm.placement.all)
        self._cut([(one.id, f"etcd-{member}") for member in range(3)])

    def cut_all_placements_from_etcd(self) -> None:
        self._cut([(one.id, f"etcd-{member}") for one in self.storm.placement.all for member in range(3)])

    def split_in_two(self) -> None:
        """Each half with a placement and with the store and etcd between them."""
        names = [host.name for host in self.storm.hosts]
        left = set(self.rng.sample(names, 2)) | {self.rng.choice(self.storm.placement.all).id}
        all_of_them = [*names, *(replica.id for replica in self.storm.placement.all)]
        self._cut([(a, b) for a in names for b in all_of_them if (a in left) is not (b in left)])

    def _cut(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Both ways, one way, or with a reset; what was under way arrives late or never."""
        network, how = self.storm.network, self.rng.choice(["both", "both", "towards", "back", "refuse"])
        for pair in pairs:
            if how == "refuse":
                network.refuse(*pair)
            else:
                network.hold(*pair, towards=how != "back", back=how != "towards")
        self._while_away()
        resets = self.rng.random() < 0.5
        for pair in pairs:
            network.heal(*pair, resets=resets)

    # -- all -----------------------------------------------------------------------------------------------------------

    def _host(self) -> Member:
        return self.rng.choice(self.storm.hosts)

    def _wait_owned_without(self, *gone: Member) -> None:
        self.storm.wait_owned(*(host for host in self.storm.hosts if host not in gone), timeout=OWNED_S)

    def _while_away(self, seconds: float = 2.5 * STORM_LEASE_S) -> None:
        """Sometimes shorter than a lease, mostly longer."""
        time.sleep(self.rng.uniform(0, seconds))

    def _pause(self, child: Child) -> None:
        child.pause()
        self._while_away()
        child.resume()
