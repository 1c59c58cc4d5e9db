"""What the wheel compiles."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_module_that_is_to_be_compiled_is_there_and_packed() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    compiled: list[str] = wheel["hooks"]["custom"]["compiled"]
    assert compiled == sorted(set(compiled))
    assert [module for module in compiled if not (ROOT / module).is_file()] == []
    assert {"/".join(module.split("/")[:2]) for module in compiled} <= set(wheel["packages"])
