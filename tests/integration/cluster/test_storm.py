"""The nastiest of what `make chaos` does, once each: links that hold back what was said until others own everything."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

import pytest

from tests.integration.cluster.storm import Storm
from tests.integration.cluster.torment import Torment


@pytest.mark.parametrize("store", ["redis", "postgres"])
def test_late_words_of_superseded_owners_are_not_written_and_all_that_was_acknowledged_is(
    store: str, tmp_path: Path
) -> None:
    seed = SystemRandom().randrange(10**9)
    with Storm(tmp_path, store=store, instances=54, seconds=8.0, seed=seed) as storm:
        storm.begin()
        storm.wait_busy()
        torment = Torment(storm, seed=seed)
        deeds = torment.cut_sidecar_from_all, torment.pause_sidecar, torment.cut_sidecar_from_store
        problems = [problem for deed in deeds if (problem := torment.do(deed))]
        problems += storm.verdict(allowed=["expected a heartbeat, heard nothing"])
        assert problems == [], f"seed {seed}"
        assert storm.seen().wrote == 0
