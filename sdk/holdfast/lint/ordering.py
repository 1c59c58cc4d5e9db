"""HF106: sets whose order decides something. HF301: state that outlives the run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from holdfast.lint.outside import words
from holdfast.lint.scope import Class, Function, Module, Variable
from holdfast.lint.values import OfContext, Outside
from holdfast.lint.visit import Place, is_container, is_object, shown

_IN_ORDER: Final = frozenset(
    f"builtins.{name}" for name in words("list tuple iter enumerate zip map filter reversed next dict.fromkeys")
)
_ANY_ORDER: Final = frozenset(f"builtins.{name}" for name in words("sorted set frozenset any all sum min max len"))
_CHANGING: Final = frozenset(
    words(
        "append appendleft extend extendleft insert add update setdefault pop popleft popitem clear remove discard "
        "sort reverse rotate subtract __setitem__"
    )
)


def check_all(place: Place, nodes: Iterable[ast.AST]) -> None:
    nodes = list(nodes)
    harmless = {id(generator) for node in nodes for generator in _order_free(place, node)}
    for node in nodes:
        for used in _ordered(place, node, harmless):
            if _is_set(place, used):
                place.report("HF106", used, f"the set {shown(used)}")
        _check_write(place, node)


# -- sets ----------------------------------------------------------------------------------------------------------


def _is_set(place: Place, node: ast.expr) -> bool:
    found = place.meaning(node)
    return isinstance(found, Outside) and found.is_set


def _order_free(place: Place, node: ast.AST) -> Iterator[ast.AST]:
    """Comprehensions whose order nobody sees, unless they wait or call on the way."""
    if isinstance(node, ast.SetComp) and not _waits(place, node):
        yield node
    if isinstance(node, ast.Call):
        found = place.meaning(node.func)
        if isinstance(found, Outside) and found.name in _ANY_ORDER:
            yield from (arg for arg in node.args if isinstance(arg, ast.GeneratorExp) and not _waits(place, arg))


def _waits(place: Place, node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Await) or (isinstance(part, ast.Attribute) and isinstance(place.meaning(part), OfContext))
        for part in ast.walk(node)
    )


def _ordered(place: Place, node: ast.AST, harmless: set[int]) -> Iterator[ast.expr]:
    """Expressions that this node goes through one by one."""
    match node:
        case ast.For(iter=used):
            yield used
        case ast.ListComp(generators=parts) | ast.DictComp(generators=parts):
            yield from (part.iter for part in parts)
        case ast.SetComp(generators=parts) | ast.GeneratorExp(generators=parts) if id(node) not in harmless:
            yield from (part.iter for part in parts)
        case ast.Starred(value=used, ctx=ast.Load()):
            yield used
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=used):
            yield used
        case ast.Call():
            yield from _ordered_by_call(place, node)
        case _:
            return


def _ordered_by_call(place: Place, node: ast.Call) -> Iterator[ast.expr]:
    found = place.meaning(node.func)
    if isinstance(found, Outside) and found.name in _IN_ORDER:
        yield from (arg for arg in node.args if not isinstance(arg, ast.Starred))
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr == "join" and node.args:
            yield node.args[0]
        if node.func.attr == "pop" and not node.args:
            yield node.func.value


# -- shared state --------------------------------------------------------------------------------------------------


def _check_write(place: Place, node: ast.AST) -> None:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            for target in targets:
                _check_target(place, target)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            _check_target(place, target)
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _CHANGING:
            if _is_shared(place, value) and _can_change(place, value):
                place.report("HF301", node, f"{shown(node.func)}()")
        case ast.Call(func=ast.Name(id="next"), args=[ast.Name() as source, *_]) if _is_shared(place, source):
            place.report("HF301", node, f"next({shown(source)})")
        case _:
            return


def _check_target(place: Place, target: ast.expr) -> None:
    match target:
        case ast.Name(id=name) if name in place.function.scope.globals:
            place.report("HF301", target, f"assigning the global {name}")
        case ast.Attribute(value=value) | ast.Subscript(value=value) if _is_shared(place, value):
            place.report("HF301", target, f"assigning {shown(target)}")
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                _check_target(place, part)
        case _:
            return


def _is_shared(place: Place, node: ast.expr) -> bool:
    """Whether it belongs to a module or a class, not to this run."""
    root = node
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    if isinstance(root, ast.Name) and isinstance(place.meaning(root), (Module, Class, Function)):
        return True
    found = place.function.scope.find(root.id) if isinstance(root, ast.Name) else None
    return found is not None and found[1].is_module and isinstance(found[0], Variable)


def _can_change(place: Place, node: ast.expr) -> bool:
    found = place.meaning(node)
    return is_container(found) or is_object(found)
