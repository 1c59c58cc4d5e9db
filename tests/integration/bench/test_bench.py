"""A benchmark that is short: that it runs, not how fast."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_short_benchmark_measures_what_it_names(tmp_path: Path) -> None:
    kept = tmp_path / "result.json"
    command = [
        sys.executable,
        "-m",
        "bench",
        "burst",
        "sequential",
        "--client",
        "native",
        "--quick",
        "--json",
        str(kept),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(kept.read_text())
    assert {"machine", "versions", "seed", "store"} <= result.keys()
    cases = {row["case"]: row["values"] for row in result["rows"]}
    assert cases["with a worker"]["number"] == 2000
    assert cases["without a worker"]["commits"] <= 1.1
    assert cases["first 200 of 2000"]["step_us"] > 0
    assert "sequential" in ended.stdout
    assert all(result["machine"][what] > 0 for what in ("ring_us", "call_us", "write_us"))
    assert "this machine: ring" in ended.stdout
