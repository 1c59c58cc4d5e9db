"""Everything that can fail, at random instants, for as long as asked, under a load of every kind.

    python -m tests.integration.cluster.chaos [--store redis|postgres] [--seconds 120] [--instances 2000] [--seed N]

Three placements, three etcd members, four sidecars with an app each. `make chaos` runs it at full size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread
from typing import Final

from tests.integration.cluster.objects_verdict import facts_of, read_objects
from tests.integration.cluster.storm import Storm
from tests.integration.cluster.torment import Torment

REST_S: Final = 1_200.0  # for what is open at the end: a slow machine has a long queue then
PROGRESS_S: Final = 5.0
ALLOWED: Final = (
    "expected a heartbeat, heard nothing",
    "the id is held by the process",  # a sidecar that was killed is back before its lease has run out
)


@dataclass
class Report:
    given: argparse.Namespace
    storm: Storm
    torment: Torment
    problems: list[str] = field(default_factory=list[str])
    took_s: float = 0.0

    def lines(self) -> Iterator[str]:
        given, storm, seen = self.given, self.storm, self.storm.seen()
        yield f"store {given.store}, seed {given.seed}: {given.seconds:g} s of faults, {self.took_s:.0f} s in all"
        counts = Counter(self.torment.did)
        yield f"faults: {len(self.torment.did)}; " + ", ".join(f"{number} {what}" for what, number in counts.items())
        if storm.evidence is not None:
            yield f"workflows: {storm.evidence.facts()}"
        yield f"objects: {facts_of(read_objects(storm.folder))}"
        for name in ("client", "objects"):
            yield f"{name}: {_last_line(storm.folder / f'{name}.log')}"
        yield (
            f"zombies, as the store saw them: {seen.tried} commits attempted, {seen.wrote} succeeded, "
            f"of {seen.commits} commits in all; sidecars gave up {storm.lost} partitions when they were refused"
        )
        yield f"violations: {len(self.problems)}"


class Progress:
    """A line every few seconds, from a thread: the torment itself waits most of the time."""

    def __init__(self, storm: Storm, torment: Torment) -> None:
        self._storm, self._torment = storm, torment
        self._began = time.monotonic()
        self._ended = self._read = 0
        self._is_over = Event()
        self._thread = Thread(target=self._tell_for_ever, name="progress", daemon=True)

    def _tell_for_ever(self) -> None:
        while not self._is_over.wait(PROGRESS_S):
            print(self, flush=True)

    def __str__(self) -> str:
        with (self._storm.folder / "acks").open("rb") as file:
            file.seek(self._read)
            fresh = file.read()
        self._read += len(fresh)
        self._ended += fresh.count(b'"did":"end"')
        did, seen = self._torment.did, self._storm.seen()
        return (
            f"{time.monotonic() - self._began:6.0f} s  {self._ended}/{len(self._storm.plan)} ended  "
            f"commits {seen.commits}, of superseded owners {seen.tried}, written {seen.wrote}  "
            f"faults {len(did)} {did[-1] if did else ''}"
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


def chaos(given: argparse.Namespace, folder: Path) -> Report:
    """Logs and what clients noted stay in the folder."""
    began = time.monotonic()
    with Storm(folder, store=given.store, instances=given.instances, seconds=given.seconds, seed=given.seed) as storm:
        storm.rest_s = REST_S
        torment = Torment(storm, seed=given.seed)
        report = Report(given, storm, torment)
        storm.begin()
        with Progress(storm, torment):
            report.problems += torment.play(given.seconds)
            report.problems += storm.verdict(allowed=ALLOWED)
        report.took_s = time.monotonic() - began
        return report


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.cluster.chaos", description=__doc__)
    parser.add_argument("--store", choices=["redis", "postgres"], default="redis")
    parser.add_argument("--seconds", type=float, default=120.0, help="of faults, and of starting instances")
    parser.add_argument("--instances", type=int, default=2_000, help="that clients start; more come from these")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**9))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    given = options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-chaos-"))
    print(f"{given.store}: seed {given.seed}, logs in {folder}", flush=True)
    report = chaos(given, folder)
    for problem in report.problems[:100]:
        print(f"  {problem}")
    print("\n".join(report.lines()))
    return bool(report.problems)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return lines[-1] if lines else "said nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
