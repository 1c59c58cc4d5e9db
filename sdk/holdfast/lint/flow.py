"""HF403, HF404: handlers and blocks that get in the way of a run's end."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from holdfast.lint.scope import own_nodes
from holdfast.lint.values import OfContext, Outside
from holdfast.lint.visit import Place, shown

_ENDS = frozenset({"builtins.BaseException", "holdfast.ContinueAsNew", "holdfast.errors.Evicted"})


def check(place: Place, node: ast.AST) -> None:
    match node:
        case ast.Try() | ast.TryStar():
            if _waits(place, node.body):
                for handler in node.handlers:
                    _check_handler(place, handler)
                _check_finally(place, node)
            if _continues(place, node.body):
                _check_late(place, node)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            _check_blocks(place, items, body)
        case _:
            return


def _check_handler(place: Place, handler: ast.ExceptHandler) -> None:
    if _catches_end(place, handler.type) and not _raises_again(handler):
        caught = "except:" if handler.type is None else f"except {shown(handler.type)}"
        place.report("HF403", handler, caught)


def _catches_end(place: Place, kind: ast.expr | None) -> bool:
    match kind:
        case None:
            return True
        case ast.Tuple(elts=parts):
            return any(_catches_end(place, part) for part in parts)
        case _:
            found = place.meaning(kind)
            return isinstance(found, Outside) and found.name in _ENDS


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return any(
        isinstance(node, ast.Raise)
        and (node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == handler.name))
        for node in own_nodes(handler.body)
    )


def _check_finally(place: Place, node: ast.Try | ast.TryStar) -> None:
    """`return` in a finally drops whatever was on its way out."""
    for part in own_nodes(node.finalbody):
        if isinstance(part, ast.Return):
            place.report("HF403", part, "return in finally", help="return after the try statement")


def _check_late(place: Place, node: ast.Try | ast.TryStar) -> None:
    late = list(node.finalbody)
    for handler in node.handlers:
        if _catches_end(place, handler.type):
            late += handler.body
    for part in own_nodes(late):
        if isinstance(part, (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncWith, ast.AsyncFor)):
            place.report("HF404", part, shown(part) if isinstance(part, ast.expr) else "this block")
            return


def _check_blocks(place: Place, items: list[ast.withitem], body: list[ast.stmt]) -> None:
    for item in items:
        found = place.meaning(item.context_expr)
        if not isinstance(found, Outside):
            continue
        if found.name == "contextlib.suppress()" and isinstance(item.context_expr, ast.Call):
            _check_suppressed(place, item.context_expr, body)


def _check_suppressed(place: Place, call: ast.Call, body: list[ast.stmt]) -> None:
    if _waits(place, body) and any(_catches_end(place, kind) for kind in call.args):
        place.report("HF403", call, shown(call))


def _waits(place: Place, body: Iterable[ast.stmt]) -> bool:
    """Whether the end of the run can come out of these statements."""
    kinds = (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncWith, ast.AsyncFor)
    return any(
        isinstance(node, kinds) or (isinstance(node, ast.Name) and isinstance(place.meaning(node), OfContext))
        for node in own_nodes(list(body))
    )


def _continues(place: Place, body: Iterable[ast.stmt]) -> bool:
    return any(
        isinstance(node, ast.Call) and place.meaning(node.func) == OfContext("continue_as_new")
        for node in own_nodes(list(body))
    )
