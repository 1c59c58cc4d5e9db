"""docs/quickstart.md, word for word: in a fresh environment, with the wheel as it is built, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.docs.pages import ROOT, Block, blocks
from tests.integration.docs.shell import Shell
from tests.support.ports import free_port

PAGE = "quickstart.md"
BUILD_LIMIT_S = 120
OURS = ("holdfast", "_holdfast", "pip", "setuptools", "distutils-precedence", "__pycache__")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the clone that the page speaks of: only its dist/ is used."""
    dist = tmp_path / "holdfast" / "dist"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=BUILD_LIMIT_S)
    return tmp_path


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """Like a reader's, but with ports of its own, without an index, and with our environment's packages at hand."""
    libraries = home / "libraries"
    libraries.mkdir()
    for path in Path(pytest.__file__).parents[1].iterdir():
        if not path.name.startswith(OURS):
            (libraries / path.name).symlink_to(path)
    return {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONPATH": str(libraries),
        "HOLDFAST_GRPC_PORT": str(free_port()),
        "HOLDFAST_HTTP_PORT": str(free_port()),
    }


@pytest.fixture
def shell(home: Path, environment: dict[str, str]) -> Iterator[Shell]:
    with Shell(home, environment) as shell:
        address = f"127.0.0.1:{environment['HOLDFAST_GRPC_PORT']}"  # only for the app: it is no setting of a sidecar
        shell.run(f"shopt -s expand_aliases; alias python='HOLDFAST_ADDRESS={address} python'")
        yield shell


def follow(block: Block, shell: Shell, folder: Path) -> None:
    match block.language:
        case "sh":
            shell.run(block.text)
        case "python":
            (folder / block.note).write_text(block.text, encoding="utf-8")
        case "text":
            shell.shows(block.text)
        case other:
            raise AssertionError(f"{block}: expected sh, python or text, found {other!r}")


def test_the_quickstart_works_word_for_word(home: Path, shell: Shell) -> None:
    for block in blocks(PAGE):
        follow(block, shell, home / "shop")
    assert "Traceback" not in shell.output()
    shell.run("python -c 'import holdfast; print(holdfast.__file__)'")
    installed = next((home / "shop" / ".venv" / "lib").iterdir()) / "site-packages"
    shell.shows(str(installed / "holdfast" / "__init__.py"))
