"""Random programs of asyncio give the same history however they are crashed, replayed, hashed or interpreted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.sdk.programs import World, draw_program, line_of

GOLDEN = Path(__file__).parent / "programs.txt"
ROOT = Path(__file__).parents[3]
LIBRARIES = "import google.protobuf, grpc, msgspec"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_a_run_kept_alive_and_runs_built_anew_decide_the_same(program: Random, world: Random) -> None:
    World(draw_program(program), world).live()  # every turn of a Story is lived through both ways


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_the_same_program_in_the_same_world_has_the_same_history(seed: int) -> None:
    assert line_of(seed) == line_of(seed)


def test_this_version_of_python_gives_the_recorded_histories() -> None:
    recorded = GOLDEN.read_text().splitlines()
    assert [line_of(seed) for seed in range(len(recorded))] == recorded


@pytest.mark.parametrize("hash_seed", ["0", "1", "4294967295"])
def test_the_seed_of_hashes_changes_nothing(hash_seed: str) -> None:
    assert _lines_of(sys.executable, 60, PYTHONHASHSEED=hash_seed) == GOLDEN.read_text().splitlines()[:60]


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_other_versions_of_python_on_this_machine_give_the_recorded_histories(version: str) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", LIBRARIES], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} here that has the SDK's libraries")
    assert _lines_of(python, 60) == GOLDEN.read_text().splitlines()[:60]


def _lines_of(python: str, count: int, **environment: str) -> list[str]:
    """The histories as another process makes them, with its own libraries and our code."""
    path = [str(ROOT), *(str(ROOT / root) for root in ("sdk", "proto", "kit"))]
    out = subprocess.run(
        [python, "-m", "tests.unit.sdk.programs", "0", str(count)],
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return out.stdout.splitlines()
