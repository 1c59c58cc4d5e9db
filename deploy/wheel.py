"""Makes the wheel. With HOLDFAST_COMPILE=1 the rooms that `compiled` names in pyproject.toml become machine code.

They are the same modules, compiled by mypyc from the types that the checks demand anyway. The Python files go along: a
traceback names their lines, though it shows neither their text nor the folder above the package. Without the variable,
and in an environment where the code is edited, nothing is compiled.
It needs a C compiler, and mypy and setuptools in the environment that builds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUILD = """
import sys
from mypyc.build import mypycify
from setuptools import setup

options = {"group_name": "holdfast", "multi_file": True, "opt_level": "3", "debug_level": "0"}
modules = mypycify(["--config-file=mypy.ini", *sys.argv[1:]], **options)
setup(name="holdfast", packages=[], ext_modules=modules, script_args=["--quiet", "build_ext", "--inplace"])
"""
_CONFIG = "[mypy]\nfollow_imports = silent\nexplicit_package_bases = true\nignore_missing_imports = true\n"


class CompilingHook(BuildHookInterface[Any]):
    """Hatchling asks it before the wheel is packed and after."""

    _made: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or os.environ.get("HOLDFAST_COMPILE", "0") in ("", "0"):
            return
        self._made = TemporaryDirectory(prefix="holdfast-wheel-")
        home = Path(self._made.name)
        modules = _compiled(Path(self.root), home, self.config["compiled"])
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(home / module): str(module) for module in modules})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self._made is not None:
            self._made.cleanup()


def _compiled(root: Path, home: Path, sources: list[str]) -> list[Path]:
    """Where the machine code lies below `home`. Packages stand side by side there, as they do when installed."""
    packages = {root.joinpath(*Path(source).parts[:2]) for source in sources}
    for package in packages:
        shutil.copytree(package, home / package.name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (home / "mypy.ini").write_text(_CONFIG)
    modules = [str(Path(*Path(source).parts[1:])) for source in sources]
    subprocess.run([sys.executable, "-c", _BUILD, *modules], cwd=home, check=True)
    found = [*home.glob("*.so"), *(file for package in packages for file in (home / package.name).rglob("*.so"))]
    return [file.relative_to(home) for file in found]
