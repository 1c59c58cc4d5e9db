"""The small example of README.md does what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.docs.pages import ROOT, blocks
from tests.integration.running.sidecars import Running


def test_the_small_example_runs_as_it_stands(tmp_path: Path) -> None:
    (example,) = (block for block in blocks("../README.md") if block.language == "python")
    app = tmp_path / "app.py"
    app.write_text(example.text, encoding="utf-8")
    with Running(tmp_path) as sidecar:
        ended = subprocess.run(
            [sys.executable, str(app)],
            env={**os.environ, "HOLDFAST_ADDRESS": f"127.0.0.1:{sidecar.grpc_port}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert ended.stdout == "shipped, with receipt of order-7\n"


def test_no_page_names_a_place_of_the_machine_that_it_was_written_on() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        assert str(ROOT) not in page.read_text(encoding="utf-8"), page.name
