"""Without what an extra brings, a sidecar says what to install and ends with 2."""

import subprocess
import sys
from pathlib import Path

import pytest

_RUN = (
    "import sys; sys.modules[sys.argv[1]] = None; from holdfast_cli.__main__ import main; sys.exit(main(sys.argv[2:]))"
)


@pytest.mark.parametrize(
    ("package", "extra", "store"),
    [
        ("aiohttp", "sidecar", "memory:"),
        ("prometheus_client", "sidecar", "memory:"),
        ("apsw", "sidecar", ""),
        ("redis", "redis", "redis://127.0.0.1:1"),
        ("asyncpg", "postgres", "postgresql://127.0.0.1:1/x"),
    ],
)
def test_a_missing_package_names_its_extra(package: str, extra: str, store: str, tmp_path: Path) -> None:
    flags = ["dev", "--grpc-port", "0", "--http-port", "0", "--data-dir", str(tmp_path)]
    flags += ["--store", store] if store else []
    ended = subprocess.run(
        [sys.executable, "-c", _RUN, package, *flags], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert f"expected the package {package}, found none; run: pip install 'holdfast[{extra}]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_needs_yaml(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _RUN, "yaml", "sidecar", "--config", str(tmp_path / "x.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "pip install 'holdfast[sidecar]'" in ended.stderr) == (2, True)
