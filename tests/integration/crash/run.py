"""One run: start everything, kill it again and again, let it come to rest, look at what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.integration.crash.scene import Scene

PER_KILL_S: Final = 2.2  # of load, so that the last kill meets the last starts


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
    span = PER_KILL_S * settings.kills
    scene = Scene(folder, store=settings.store, instances=settings.instances, seed=settings.seed, span_s=span)
    with scene:
        scene.begin()
        violations = [*_Torment(scene, settings).play(), *scene.rest()]
        scene.sidecar.process.terminate()
        evidence = scene.evidence()
        violations += [*evidence.violations(), *scene.purge(), *scene.complaints()]
    return Result(settings, violations, f"{_died(scene)}; {evidence.facts()}", time.monotonic() - began)


class _Torment:
    def __init__(self, scene: Scene, settings: Settings) -> None:
        self._scene = scene
        self._kills = settings.kills
        self._rng = Random(settings.seed)

    def play(self) -> Iterator[str]:
        """Gives what must not happen even now."""
        scene, kills = self._scene, self._kills
        with_server = set(range(1, kills, max(2, kills // 4))) if scene.ground.has_server else set[int]()
        for number in range(kills):
            self._wait()
            if number % 4 == 2:
                self._kill_app()
            if not scene.sidecar.process.is_running:
                yield f"the sidecar ended by itself with {scene.sidecar.process.returncode}"
            self._kill_sidecar(with_server=number in with_server)
            if number in with_server:
                time.sleep(self._rng.uniform(0.0, 1.5))
                self._kill_server_alone()

    def _wait(self) -> None:
        """Until a random instant: one time in four while it starts, else while it works."""
        if self._rng.random() < 0.25:
            time.sleep(self._rng.uniform(0.0, 1.0))
        else:
            self._scene.sidecar.wait_ready()
            time.sleep(self._rng.uniform(0.1, 2.6))

    def _kill_sidecar(self, *, with_server: bool) -> None:
        scene = self._scene
        with scene.disturbing("sidecar"):
            scene.sidecar.process.kill()
            if with_server:
                scene.ground.kill_server()
                scene.ground.start_server()
            scene.sidecar.start()
            if with_server:  # one that is starting may rightly end when its store goes away
                scene.sidecar.wait_ready()

    def _kill_server_alone(self) -> None:
        """Under a sidecar that goes on."""
        scene = self._scene
        with scene.disturbing("server"):
            scene.ground.kill_server()
            time.sleep(self._rng.uniform(0.0, 0.5))
            scene.ground.start_server()

    def _kill_app(self) -> None:
        scene = self._scene
        with scene.disturbing("app"):
            scene.apps[0].child.kill()
            time.sleep(self._rng.uniform(0.0, 0.3))
            scene.apps[0].start()


def _died(scene: Scene) -> str:
    died = [disruption.what for disruption in scene.disruptions]
    return ", ".join(f"{died.count(what)} {what} kills" for what in dict.fromkeys(died))
