"""Walks through one function and asks the rules about each node. Also notes which functions it may call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from holdfast.lint.rules import RULES
from holdfast.lint.scope import Class, Function, own_nodes
from holdfast.lint.values import Meaning, Object, Outside, Values


@dataclass(slots=True)
class Place:
    """A function that is being looked at. `report` collects; a rule's own words are used where none are given."""

    function: Function
    values: Values
    reported: list[tuple[str, ast.AST, str, str]] = field(default_factory=list[tuple[str, ast.AST, str, str]])
    _known: dict[ast.expr, Meaning] = field(default_factory=dict[ast.expr, Meaning])

    def meaning(self, node: ast.expr) -> Meaning:
        if node not in self._known:
            self._known[node] = self.values.meaning(node, self.function.scope)
        return self._known[node]

    def report(self, code: str, node: ast.AST, subject: str, *, why: str = "", help: str = "") -> None:
        rule = RULES[code]
        self.reported.append((code, node, f"{subject} {why or rule.why}", help or rule.help))


def nodes_of(function: Function) -> Iterator[ast.AST]:
    """All that runs when the function does, lambdas included; functions defined inside run when they are called."""
    for node in own_nodes(function.node.body):
        yield node
        if isinstance(node, ast.Lambda):
            yield from ast.walk(node.body)


def callees(place: Place, node: ast.AST) -> Iterator[Function]:
    """Functions to look into because this node calls them, or hands them to somebody who may."""
    if not isinstance(node, ast.Call):
        return
    for part in (node.func, *node.args, *(keyword.value for keyword in node.keywords)):
        if isinstance(part, (ast.Name, ast.Attribute)):
            yield from _functions_in(place, place.meaning(part))


def _functions_in(place: Place, found: Meaning) -> Iterator[Function]:
    match found:
        case Function() if place.values.kind(found) != "activity":
            yield found
        case Class():
            for name in ("__init__", "__post_init__", "__new__"):
                method = found.scope.names.get(name)
                if isinstance(method, Function):
                    yield method
        case _:
            return


def shown(node: ast.expr) -> str:
    """As it stands in the source, shortened."""
    text = ast.unparse(node)
    return text if len(text) <= 50 else f"{text[:47]}..."


def is_container(found: Meaning) -> bool:
    """Whether it is one of the mutable containers of the standard library."""
    return isinstance(found, Outside) and found.name in (
        "builtins.list()",
        "builtins.dict()",
        "builtins.set()",
        "builtins.bytearray()",
        "collections.defaultdict()",
        "collections.deque()",
        "collections.Counter()",
        "collections.OrderedDict()",
    )


def is_object(found: Meaning) -> bool:
    return isinstance(found, Object)
