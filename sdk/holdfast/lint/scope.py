"""Names and what they are bound to: the skeleton of a module, made without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias


@dataclass(slots=True, eq=False)
class Variable:
    """Bound by assignment; `values` are what was assigned, as far as that is an expression."""

    values: list[ast.expr] = field(default_factory=list[ast.expr])
    annotation: ast.expr | None = None


@dataclass(slots=True, eq=False)
class Parameter:
    function: Function
    position: int
    name: str
    annotation: ast.expr | None


@dataclass(frozen=True, slots=True)
class Imported:
    """`name` is dotted and absolute."""

    name: str


Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True, eq=False)
class Function:
    node: Definition
    scope: Scope
    qualname: str
    owner: Class | None

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def yields(self) -> bool:
        return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in own_nodes(self.node.body))


@dataclass(slots=True, eq=False)
class Class:
    node: ast.ClassDef
    scope: Scope
    qualname: str


Binding: TypeAlias = Variable | Parameter | Imported | Function | Class


@dataclass(slots=True, eq=False)
class Scope:
    """Of a module, a class or a function."""

    module: Module
    parent: Scope | None
    is_class: bool = False
    names: dict[str, Binding] = field(default_factory=dict[str, Binding])
    globals: set[str] = field(default_factory=set[str])

    def find(self, name: str) -> tuple[Binding, Scope] | None:
        """What the name means here, and where it is bound. Class bodies are invisible from inside their methods."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class):
                return scope.names[name], scope
            scope = scope.parent
        return None

    @property
    def is_module(self) -> bool:
        return self.parent is None


@dataclass(slots=True, eq=False)
class Module:
    """`ignores`: by line, the codes that a comment switches off; an empty set is all of them."""

    name: str
    path: Path
    is_package: bool
    functions: list[Function] = field(default_factory=list[Function])
    ignores: dict[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = Scope(self, None)


def own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Every node that runs when the body runs: not what stands inside functions that are only defined there."""
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
