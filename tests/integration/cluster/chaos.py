"""Everything that can fail, at random instants, for as long as asked, under a load of every kind.

    python -m tests.integration.cluster.chaos [--store redis|postgres] [--seconds 120] [--instances 2000] [--seed N]

Three placements, three etcd members, four sidecars with an app each. `make chaos` runs it at full size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

from tests.integration.cluster.processes import Member
from tests.integration.cluster.scene import LEASE_S, Cluster

BETWEEN_S: Final = (0.5, 3.0)
ALLOWED: Final = ("partitions could not be acquired",)


class Torment:
    """Does one thing after another; each is over before the next begins, so that what follows it can be told."""

    def __init__(self, cluster: Cluster, *, seed: int) -> None:
        self.cluster = cluster
        self.rng = Random(seed)
        self.refused = 0
        self.did: list[str] = []

    def play(self, seconds: float) -> None:
        deeds: tuple[Callable[[], None], ...] = (
            self.kill_host, self.stop_host, self.leave, self.kill_placement, self.kill_etcd_member, self.kill_store,
            self.kill_app, self.lose_control,
        )  # fmt: skip
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self.rng.uniform(*BETWEEN_S))
            deed = self.rng.choice(deeds)
            self.did.append(deed.__name__)
            print(f"  {deed.__name__}", flush=True)
            with self.cluster.disturbing(deed.__name__):
                deed()
                self.cluster.wait_owned(timeout=60.0)

    def _host(self) -> Member:
        return self.rng.choice(self.cluster.hosts)

    def _others(self, one: Member) -> list[Member]:
        return [host for host in self.cluster.hosts if host is not one]

    def kill_host(self) -> None:
        one = self._host()
        one.process.kill()
        if self.rng.random() < 0.5:
            self.cluster.wait_owned(*self._others(one))
        one.start()

    def stop_host(self) -> None:
        one = self._host()
        before = one.lost
        one.process.pause()
        self.cluster.wait_owned(*self._others(one))
        one.process.resume()
        self.cluster.wait_owned()
        self.refused += one.lost - before

    def leave(self) -> None:
        one = self._host()
        assert one.process.terminate() == 0, f"{one.name}: expected to end with 0"
        one.start()

    def kill_placement(self) -> None:
        one = self.rng.choice(self.cluster.placement.all)
        one.child.kill()
        time.sleep(self.rng.uniform(0, 2 * LEASE_S))
        one.restart()
        one.wait_ready()

    def kill_etcd_member(self) -> None:
        member = self.rng.randrange(3)
        self.cluster.etcd.kill(member)
        time.sleep(self.rng.uniform(0, 2 * LEASE_S))
        self.cluster.etcd.start(member)

    def kill_store(self) -> None:
        self.cluster.ground.kill_server()
        time.sleep(self.rng.uniform(0, 1.0))
        self.cluster.ground.start_server()

    def kill_app(self) -> None:
        app = self.rng.choice(self.cluster.apps)
        app.child.kill()
        time.sleep(self.rng.uniform(0, 1.0))
        app.start()

    def lose_control(self) -> None:
        for replica in self.cluster.placement.all:
            replica.child.kill()
        for member in range(3):
            self.cluster.etcd.kill(member)
        time.sleep(self.rng.uniform(1, 4) * LEASE_S)
        self.cluster.etcd.start()
        for replica in self.cluster.placement.all:
            replica.restart()
            replica.wait_ready()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.cluster.chaos", description=__doc__)
    parser.add_argument("--store", choices=["redis", "postgres"], default="redis")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--instances", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    print(f"{given.store}: seed {given.seed}, logs in {folder}", flush=True)
    shape = {"hosts": 4, "placements": 3, "etcds": 3, "instances": given.instances, "seed": given.seed}
    with Cluster(folder, store=given.store, span_s=given.seconds, **shape) as cluster:
        cluster.begin()
        torment = Torment(cluster, seed=given.seed)
        torment.play(given.seconds)
        problems = cluster.verdict(allowed=ALLOWED)
    for problem in problems:
        print(f"  {problem}")
    did = ", ".join(f"{torment.did.count(deed)} {deed}" for deed in dict.fromkeys(torment.did))
    print(f"{did}; zombies' partitions refused: {torment.refused}; {len(problems)} violations")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
