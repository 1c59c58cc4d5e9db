"""HF1xx, HF2xx, HF405, HF5xx: names of the outside world that a workflow must not use."""

from __future__ import annotations

import ast

from holdfast.lint import outside
from holdfast.lint.scope import Function
from holdfast.lint.values import OfContext, Outside
from holdfast.lint.visit import Place, shown

_HELP = {
    "asyncio.to_thread": "make the function an activity (a plain `def` gets a thread) and await ctx.call(...)",
    "asyncio.run": "the workflow has a loop already: await the coroutine",
}


def check(place: Place, node: ast.AST) -> None:
    match node:
        case ast.Call():
            _check_call(place, node)
        case ast.Attribute(ctx=ast.Load()) | ast.Name(ctx=ast.Load()):
            _check_read(place, node)
        case _:
            return


def _check_call(place: Place, node: ast.Call) -> None:
    match place.meaning(node.func):
        case Outside(name=name, is_shared=is_shared):
            _check_outside(place, node, name, is_shared=is_shared)
            _check_handed(place, node)
        case OfContext(name="call" | "child" | "start_detached"):
            return  # what it is given is another rule's
        case Function() as function if place.values.kind(function) == "activity":
            place.report("HF405", node, f"{shown(node.func)}() is an activity, but called directly it")
        case _:
            if _is_local_zone(node):
                place.report("HF104", node, f"{shown(node.func)}() takes the time zone of the machine, which")
            _check_handed(place, node)


def _check_outside(place: Place, node: ast.Call, name: str, *, is_shared: bool) -> None:
    code = outside.rule_of_call(name, has_arguments=bool(node.args or node.keywords), is_shared=is_shared)
    if code is not None:
        place.report(code, node, f"{shown(node.func)}()", help=_HELP.get(name, ""))
    elif _is_local_zone(node) and name.startswith("datetime."):
        place.report("HF104", node, f"{shown(node.func)}() takes the time zone of the machine, which")


def _check_handed(place: Place, node: ast.Call) -> None:
    """A function of the outside that is handed on is called there: `sorted(items, key=id)`."""
    for part in (*node.args, *(keyword.value for keyword in node.keywords)):
        if not isinstance(part, (ast.Name, ast.Attribute)):
            continue
        found = place.meaning(part)
        if isinstance(found, Outside) and not found.name.rpartition(".")[2][:1].isupper():
            code = outside.CALLS.get(found.name)
            if code is not None:
                place.report(code, part, f"{shown(part)}()")


def _check_read(place: Place, node: ast.Attribute | ast.Name) -> None:
    match place.meaning(node):
        case Outside(name=name) if name in outside.ATTRIBUTES:
            place.report(outside.ATTRIBUTES[name], node, shown(node))
        case OfContext(name="is_replaying"):
            place.report("HF502", node, shown(node))
        case _:
            return


def _is_local_zone(node: ast.Call) -> bool:
    """`fromtimestamp(x)` and `astimezone()` without a zone read the machine's settings."""
    if not isinstance(node.func, ast.Attribute):
        return False
    given = len(node.args) + len(node.keywords)
    return (node.func.attr == "astimezone" and given == 0) or (node.func.attr == "fromtimestamp" and given == 1)
