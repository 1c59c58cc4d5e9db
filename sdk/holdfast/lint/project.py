"""The files that are looked at: those that were named, and what they import from beside themselves."""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from holdfast.lint.bind import bind
from holdfast.lint.scope import Module

_IGNORE: Final = re.compile(r"#\s*holdfast:\s*ignore(?:\[([^\]]*)\])?")
_MARK: Final = b"workflow"  # a file without this word declares none
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_OURS: Final = "holdfast"  # the SDK is known; its inside is no workflow code


class Unreadable(Exception):
    """A file that is no Python. `line` and `column` tell where, from 1."""

    def __init__(self, path: Path, text: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(text)
        self.path = path
        self.line = line
        self.column = column


class Project:
    """Modules by name, read when they are first asked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.files = list(dict.fromkeys(file for path in paths for file in python_files(path)))
        self._roots = list(dict.fromkeys(_root_of(file) for file in self.files))
        self._modules: dict[str, Module | None] = {}

    def declaring(self) -> Iterator[Module | Unreadable]:
        """The named files that may declare workflows."""
        for file in self.files:
            try:
                data = file.read_bytes()
                if _MARK in data:
                    yield self._read(file, data)
            except OSError as error:
                yield Unreadable(file, f"{error.strerror or error}")
            except Unreadable as error:
                yield error

    def module(self, name: str) -> Module | None:
        """A module that lies beside the named files; None for everything that is installed, and for what is broken."""
        if name not in self._modules:
            self._modules[name] = None if name.partition(".")[0] == _OURS else self._found(name)
        return self._modules[name]

    def _found(self, name: str) -> Module | None:
        for root in self._roots:
            base = root.joinpath(*name.split("."))
            for file in (base.with_suffix(".py"), base / "__init__.py"):
                if file.is_file() and not _SKIPPED.intersection(file.parts):
                    return self._readable(file)
        return None

    def _readable(self, file: Path) -> Module | None:
        try:
            return self._read(file, file.read_bytes())
        except (OSError, Unreadable):
            return None  # whoever names the file is told

    def _read(self, file: Path, data: bytes) -> Module:
        name = _name_of(file)
        known = self._modules.get(name)
        if known is not None and known.path == file:
            return known
        module = Module(name, file, is_package=file.name == "__init__.py")
        bind(module, parsed(file, data))
        module.ignores = ignores(data)
        self._modules.setdefault(name, module)
        return module


def python_files(path: Path) -> Iterator[Path]:
    """The path itself, or every Python file below it that is neither hidden nor somebody else's."""
    if path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_foreign(here / name))
        yield from (here / name for name in sorted(files) if name.endswith(".py"))


def _is_foreign(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def _root_of(file: Path) -> Path:
    """Where an import of this file's package begins."""
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _name_of(file: Path) -> str:
    parts = list(file.relative_to(_root_of(file)).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(file: Path, data: bytes) -> ast.Module:
    try:
        return ast.parse(data, filename=str(file))
    except SyntaxError as error:
        raise Unreadable(file, error.msg, line=error.lineno or 1, column=error.offset or 1) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(file, str(error)) from error


def ignores(data: bytes) -> dict[int, frozenset[str]]:
    """Comments `# holdfast: ignore[HF101]` by line; without codes they mean all."""
    if b"holdfast: ignore" not in data and b"holdfast:ignore" not in data:
        return {}
    found: dict[int, frozenset[str]] = {}
    for token in tokenize.tokenize(io.BytesIO(data).readline):
        match = _IGNORE.search(token.string) if token.type == tokenize.COMMENT else None
        if match is not None:
            codes = (match[1] or "").replace(",", " ").split()
            found[token.start[0]] = frozenset(code.upper() for code in codes)
    return found
