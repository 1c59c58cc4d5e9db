"""docs/testing.md: its files are what a user would have, and their tests pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.docs.pages import blocks

PAGE = "testing.md"
SETTINGS = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    files = [block for block in blocks(PAGE) if block.language == "python"]
    for block in files:
        assert block.note, f"{block}: expected the name of a file after the language"
        (tmp_path / block.note).write_text(block.text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = sum(block.text.count("def test_") for block in files)
    assert f"{written + 1} passed" in ended.stdout  # one of them runs in two ways
