"""`module` and `module:attribute` on the command line: what they stand for, or a complaint that says what to do."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from holdfast import Activity, Worker, Workflow

HELP: Final = (
    "module, or module:attribute, where the attribute is a worker, a workflow, an activity, an object with activities, "
    "a list of those, or a function without parameters that gives one of these"
)


class BadTarget(Exception):
    """The text is for a person."""


def add_folder(folder: str) -> None:
    """Modules are looked for here first, as `python -m` does."""
    path = os.path.abspath(folder)
    if path not in sys.path:
        sys.path.insert(0, path)


def find(target: str) -> object:
    """The module, or what stands under the attribute; a function without parameters is called."""
    name, separator, attribute = target.partition(":")
    if not name or (separator and not attribute):
        raise BadTarget(f"{target!r}: expected module or module:attribute, such as shop.workflows:app")
    found: Any = _module(name)
    for step in attribute.split(".") if attribute else ():
        if not hasattr(found, step):
            raise BadTarget(f"{target!r}: {_name(found)} has no {step!r}{_hint(step, dir(found))}")
        found = getattr(found, step)
    return _made(target, found) if inspect.isfunction(found) else found


def offers_of(target: str, found: object) -> list[object]:
    """What a worker or a check takes, from what `find` gave."""
    if isinstance(found, ModuleType):
        if not any(isinstance(value, Workflow | Activity) for value in vars(found).values()):
            raise BadTarget(
                f"{target!r}: expected workflows or activities in this module, found none; decorate them with "
                "@holdfast.workflow and @holdfast.activity, or name a list of them: module:attribute"
            )
        return [found]
    if isinstance(found, list | tuple | set | frozenset):
        return list(cast("Iterable[object]", found))
    return [found]


def is_worker(found: object) -> bool:
    return isinstance(found, Worker)


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise BadTarget(_broken(name, error)) from error
        raise BadTarget(_missing(name)) from error
    except Exception as error:
        raise BadTarget(_broken(name, error)) from error


def _missing(name: str) -> str:
    if name.endswith(".py") or "/" in name:
        dotted = name.removesuffix(".py").strip("./").replace("/", ".")
        return f"{name!r}: expected the name of a module, found a file; say {dotted}"
    here = [path.stem for path in Path.cwd().glob("*.py")] + [path.parent.name for path in Path.cwd().glob("*/*.py")]
    return (
        f"module {name!r}: expected in {Path.cwd()} or on the Python path, found none"
        f"{_hint(name.partition('.')[0], here)}; --app-dir names another folder"
    )


def _broken(name: str, error: BaseException) -> str:
    shown = "".join(traceback.format_exception(error))
    return f"{shown}module {name!r}: importing it failed with {type(error).__name__}: {error}"


def _made(target: str, function: Any) -> object:
    needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    if needed or inspect.iscoroutinefunction(function):
        raise BadTarget(
            f"{target!r}: expected a workflow, an activity or a function without parameters, found the function "
            f"{function.__name__}{inspect.signature(function)}; "
            "decorate it with @holdfast.workflow or @holdfast.activity"
        )
    return function()


def _name(found: object) -> str:
    return f"module {found.__name__!r}" if isinstance(found, ModuleType) else repr(found)


def _hint(wanted: str, known: Iterable[str]) -> str:
    near = get_close_matches(wanted, [name for name in known if not name.startswith("_")], 1)
    return f"; did you mean {near[0]}?" if near else ""
