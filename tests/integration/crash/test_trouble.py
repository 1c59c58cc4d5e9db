"""Workers that die or stand still, a sidecar that stands still, is drained, or is superseded by a second one.

No test asks how long something takes: each waits for what must come, and looks at what must not have happened.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom

import pytest

from holdfast_sidecar.core.state import Stored
from tests.integration.crash.processes import Sidecar
from tests.integration.crash.scene import Scene
from tests.support.procs import wait_until

_INSTANCES = 72  # each kind four times
_COMMITS = "holdfast_commits_total"
_STILL_S = 1.5  # far from the fifteen seconds after which somebody who is silent counts as gone
DEADLINE_S = 240.0
_KINDS = ("turn", "activity")


def _scene(folder: Path, store: str = "sqlite") -> Scene:
    return Scene(folder, store=store, instances=_INSTANCES, seed=SystemRandom().randrange(10**9), span_s=4.0)


def _verdict(scene: Scene) -> list[str]:
    """Lets it come to rest; an empty list is what is wanted."""
    problems = list(scene.rest())
    problems += [
        f"sidecar: ended with {code}" for code in [scene.sidecar.process.terminate(timeout=DEADLINE_S)] if code
    ]
    return [*problems, *scene.evidence().violations(), *scene.complaints()]


def test_workers_killed_in_the_middle_of_turns_and_activities_lose_nothing(tmp_path: Path) -> None:
    with _scene(tmp_path) as scene:
        scene.begin(apps=2)
        for number in range(6):
            scene.wait_workers(2)
            scene.wait_busy()
            with scene.disturbing("app"):
                scene.apps[number % 2].child.kill()
                scene.wait_workers(1)
                scene.apps[number % 2].start()
                scene.wait_workers(2)
        assert _verdict(scene) == []


def test_a_worker_that_stood_still_goes_on_and_nothing_runs_twice(tmp_path: Path) -> None:
    with _scene(tmp_path) as scene:
        scene.begin()
        for _ in range(2):
            scene.wait_busy()
            scene.apps[0].child.pause()
            time.sleep(_STILL_S)
            scene.apps[0].child.resume()
        assert _verdict(scene) == []


def test_the_work_of_a_worker_that_froze_is_done_by_another(tmp_path: Path) -> None:
    with _scene(tmp_path) as scene:
        scene.begin(apps=2)
        scene.wait_workers(2)
        scene.wait_busy()
        with scene.disturbing("app"):
            scene.apps[0].child.pause()
            assert scene.client.wait_exit(timeout=DEADLINE_S) == 0  # all is done while it is frozen
        assert _verdict(scene) == []


def test_a_sidecar_that_stood_still_goes_on_and_nothing_runs_twice(tmp_path: Path) -> None:
    with _scene(tmp_path) as scene:
        scene.begin()
        for _ in range(2):
            scene.wait_busy()
            scene.sidecar.process.pause()
            time.sleep(_STILL_S)
            scene.sidecar.process.resume()
        assert _verdict(scene) == []


def test_a_sidecar_that_is_asked_to_end_drains_and_no_client_sees_an_error(tmp_path: Path) -> None:
    with _scene(tmp_path) as scene:
        scene.begin()
        for _ in range(3):
            scene.wait_busy()
            assert scene.sidecar.process.terminate(timeout=DEADLINE_S) == 0
            scene.sidecar.start()
            scene.sidecar.wait_ready()
        assert _verdict(scene) == []  # and no activity ran twice: nothing was disturbed
        assert "; 0 requests had to be repeated" in scene.client.output()


@pytest.mark.parametrize("store", ["redis", "postgres"])
def test_a_second_sidecar_takes_over_and_the_first_one_writes_nothing_more(store: str, tmp_path: Path) -> None:
    with _scene(tmp_path, store) as scene:
        scene.begin()
        scene.wait_busy()
        zombie, second = scene.sidecar, Sidecar(tmp_path, store=scene.ground.url, name="sidecar-2")
        with scene.disturbing("sidecar"):
            zombie.process.pause()
            second.start()
            second.wait_ready()
            app = scene.add_app(second.address)
            wait_until(lambda: _is_at_rest(second), "the second one doing all that it can do", timeout=DEADLINE_S)
            before, commits = scene.stored(), second.metric(_COMMITS)
            zombie.process.resume()
            assert zombie.process.wait_exit(timeout=DEADLINE_S) == 1
            assert _fenced(zombie) > 0
            assert _changed(before, scene.stored()) == []
            assert second.metric(_COMMITS) == commits  # it was not the second one that changed nothing
            second.process.terminate(timeout=DEADLINE_S)
            app.close()
            zombie.start()  # the client knows its ports only
        assert [problem for problem in _verdict(scene) if "another sidecar took" not in problem] == []


def _is_at_rest(sidecar: Sidecar) -> bool:
    """It has a worker, nothing to do, no timer that is soon due, and has written nothing for a while."""
    commits = sidecar.metric(_COMMITS)
    time.sleep(1.0)
    kinds = [f'holdfast_work_{state}{{kind="{kind}"}}' for state in ("queued", "running") for kind in _KINDS]
    others = ("holdfast_reminders_in_memory", "holdfast_commits_queued")
    busy = sum(sidecar.metric(name) for name in (*kinds, *others))
    return sidecar.metric("holdfast_workers") > 0 and not busy and commits == sidecar.metric(_COMMITS)


def _changed(before: Mapping[str, Stored], after: Mapping[str, Stored]) -> list[str]:
    return [one for one in before.keys() | after.keys() if before.get(one) != after.get(one)]


def _fenced(sidecar: Sidecar) -> int:
    """Partitions of which it learned by a refused commit that they are not its own any more."""
    lines = [json.loads(line) for line in sidecar.process.output().splitlines() if line.startswith("{")]
    return sum(line["message"].startswith("lost a partition") for line in lines)
