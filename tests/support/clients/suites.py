"""Runs a module of tests inside the environment of an unmodified client."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.support.clients.sidecar import SidecarProcess

ROOT = Path(__file__).parents[3]
LIMIT_S = 280  # of one module; what hangs inside is ended earlier by its own time-out, which says where


@dataclass(frozen=True)
class SuiteResult:
    passed: int
    failures: tuple[str, ...]


def python_of(client: str) -> Path:
    """The interpreter of a client's environment."""
    python = ROOT / ".venv-clients" / client / "bin" / "python"
    if not python.exists():
        raise AssertionError(f"client {client}: expected its environment at {python}, found none; run make client-envs")
    return python


def run_module(client: str, module: Path, sidecar: SidecarProcess, *, root: Path) -> SuiteResult:
    """Every test of a module below `root`, the folder with the fixtures; settings lie beside `root`."""
    report = sidecar.folder / f"{module.stem}.xml"
    settings = ["-c", str(root.parent / "inside.ini"), "--rootdir", str(root), "--confcutdir", str(root)]
    ended = subprocess.run(
        [str(python_of(client)), "-m", "pytest", str(module), *settings, f"--junitxml={report}"],
        env={**os.environ, **sidecar.environment(), "PYTHONPATH": str(ROOT)},
        cwd=sidecar.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    result = _read(report) if report.exists() else SuiteResult(0, ())
    if ended.returncode and not result.failures:
        return SuiteResult(result.passed, (f"{module.name}: ended with {ended.returncode}\n{ended.stdout}",))
    return result


def _read(report: Path) -> SuiteResult:
    cases = ElementTree.parse(report).getroot().findall(".//testcase")
    failures: list[str] = []
    for case in cases:
        wrong = [child for child in case if child.tag in ("failure", "error", "skipped")]
        failures += [f"{case.get('name')}\n{child.text}" for child in wrong]
    return SuiteResult(len(cases) - len(failures), tuple(failures))
