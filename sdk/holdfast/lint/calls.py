"""HF401, HF402: how the context is used."""

from __future__ import annotations

import ast
import sys
from typing import Final

from holdfast.lint.outside import words
from holdfast.lint.scope import Class, Function
from holdfast.lint.values import Object, OfContext, Outside
from holdfast.lint.visit import Place, shown

_AWAITED: Final = frozenset({"call", "child", "event", "sleep", "sleep_until"})
_ASYNCIO: Final = frozenset(f"asyncio.{name}" for name in words("sleep gather wait wait_for"))
_TAKERS: Final = {"call": "activity", "child": "workflow", "start_detached": "workflow"}
_INSTEAD: Final = {"workflow": "ctx.child()", "activity": "ctx.call()"}


def check(place: Place, node: ast.AST) -> None:
    match node:
        case ast.Expr(value=ast.Call() as call):
            _check_awaited(place, call)
        case ast.Call(args=[first, *_]):
            wanted = _wanted(place, node)
            if wanted:
                _check_declared(place, node.func, first, wanted)
        case _:
            return


def _wanted(place: Place, node: ast.Call) -> str:
    """The kind of definition that this call takes first."""
    match place.meaning(node.func):
        case OfContext(name=name):
            return _TAKERS.get(name, "")
        case _:
            is_saga = isinstance(node.func, ast.Attribute) and node.func.attr == "compensate"
            return "activity" if is_saga else ""


def _check_declared(place: Place, taker: ast.expr, first: ast.expr, wanted: str) -> None:
    decorator = f"decorate it with @holdfast.{wanted}, or pass its name as a string"
    if isinstance(first, ast.Lambda):
        place.report("HF401", first, f"{shown(taker)}(lambda): the function", help=decorator)
        return
    match place.meaning(first):
        case Function() as function:
            kind = place.values.kind(function)
            if kind == "plain":
                place.report("HF401", first, f"{shown(taker)}({shown(first)}): the function", help=decorator)
            elif kind in _INSTEAD and kind != wanted:
                why = f"is declared, but as {kind}"
                place.report(
                    "HF401", first, f"{shown(taker)}({shown(first)}): it", why=why, help=f"use {_INSTEAD[kind]}"
                )
        case Class() | Object():
            place.report("HF401", first, f"{shown(taker)}({shown(first)}): it", help=decorator)
        case Outside(name=name) if _is_plain_function(name):
            place.report("HF401", first, f"{shown(taker)}({shown(first)}): it", help=decorator)
        case _:
            return


def _is_plain_function(name: str) -> bool:
    """Of the standard library, and no value: a value may be a name, or an activity that somebody handed over."""
    is_known = name.partition(".")[0] in sys.stdlib_module_names
    return name == "functools.partial()" or (is_known and "()" not in name)


def _check_awaited(place: Place, call: ast.Call) -> None:
    advice = "write yield before it" if place.function.yields else ""
    match place.meaning(call.func):
        case OfContext(name=name) if name in _AWAITED:
            place.report("HF402", call, f"{shown(call.func)}()", help=advice)
        case Outside(name=name) if name in _ASYNCIO:
            place.report("HF402", call, f"{shown(call.func)}()", help=advice)
        case Function() as function if function.is_async and place.values.kind(function) != "activity":
            place.report("HF402", call, f"{shown(call.func)}()", why="is not awaited: it never runs", help=advice)
        case _:
            return
