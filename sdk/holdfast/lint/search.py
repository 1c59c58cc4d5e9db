"""From each workflow through everything that it reaches."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from holdfast.lint import calls, flow, ordering, reaching
from holdfast.lint.findings import Finding
from holdfast.lint.project import Project, Unreadable, python_files
from holdfast.lint.rules import RULES
from holdfast.lint.scope import Function
from holdfast.lint.values import Values
from holdfast.lint.visit import Place, callees, nodes_of


def check(paths: Iterable[Path], *, codes: Collection[str] = frozenset(RULES)) -> list[Finding]:
    """What these files and folders hold that breaks one of the rules, in order of place."""
    project = Project(paths)
    values = Values(project.module)
    found: list[Finding] = []
    seen: set[Function] = set()
    for module in list(project.declaring()):
        if isinstance(module, Unreadable):
            found.append(_unreadable(module))
            continue
        for function in module.functions:
            if values.kind(function) == "workflow":
                found += _reached(function, values, seen)
    return sorted((one for one in _once(found) if one.code in codes), key=_order)


def checked_files(paths: Iterable[Path]) -> int:
    """How many files `check` is asked about."""
    return len({file for path in paths for file in python_files(path)})


def _reached(workflow: Function, values: Values, seen: set[Function]) -> Iterator[Finding]:
    """What a workflow reaches first is told of that workflow; others that reach it too say nothing new."""
    ahead: deque[tuple[Function, tuple[str, ...]]] = deque([(workflow, ())])
    while ahead:
        function, via = ahead.popleft()
        if function in seen:
            continue
        seen.add(function)
        place = Place(function, values)
        nodes = list(nodes_of(function))
        for node in nodes:
            ahead.extend((callee, (*via, callee.qualname)) for callee in callees(place, node))
        yield from _findings(place, nodes, workflow, via)


def _findings(place: Place, nodes: list[ast.AST], workflow: Function, via: tuple[str, ...]) -> Iterator[Finding]:
    ordering.check_all(place, nodes)
    for node in nodes:
        reaching.check(place, node)
        calls.check(place, node)
        flow.check(place, node)
    module = place.function.scope.module
    for code, node, text, advice in place.reported:
        line, column, end = _position(node)
        if not any(_is_ignored(module.ignores, row, code) for row in (line, end)):
            yield Finding(code, module.path, line, column, end, text, advice, workflow.qualname, via)


def _position(node: ast.AST) -> tuple[int, int, int]:
    line: int = getattr(node, "lineno", 1)
    column: int = getattr(node, "col_offset", 0)
    end: int | None = getattr(node, "end_lineno", None)
    return line, column + 1, line if isinstance(node, ast.ExceptHandler) or end is None else end


def _is_ignored(ignores: dict[int, frozenset[str]], line: int, code: str) -> bool:
    codes = ignores.get(line)
    return codes is not None and (not codes or code in codes)


def _once(found: Iterable[Finding]) -> list[Finding]:
    """One finding per rule and line: a chain of calls is one mistake."""
    return list({(one.path, one.line, one.code): one for one in sorted(found, key=_order, reverse=True)}.values())


def _order(one: Finding) -> tuple[str, int, int, str]:
    return str(one.path), one.line, one.column, one.code


def _unreadable(error: Unreadable) -> Finding:
    rule = RULES["HF001"]
    text = f"{error.path.name} {rule.why}: {error}"
    return Finding(rule.code, error.path, error.line, error.column, error.line, text, rule.help)
