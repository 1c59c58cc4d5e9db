"""What mypy and pyright infer of workflow code, and what they refuse: all of it is said in typing/shop.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = "tests/unit/sdk/typing/shop.py"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_checker_infers_each_result_and_refuses_each_wrong_call(checker: str) -> None:
    command = [sys.executable, "-m", checker, PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
