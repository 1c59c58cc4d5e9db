"""What an expression means, as far as that can be known without running it."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from holdfast.lint.scope import Binding, Class, Function, Imported, Module, Parameter, Scope, Variable

DEPTH_MAX: Final = 12  # of names that stand for names; beyond it, nothing is known
_BUILTINS: Final = frozenset(dir(builtins))
_SET: Final = "builtins.set()"
_TASK_MAKERS: Final = frozenset({"create_task", "ensure_future", "call", "child", "event", "sleep"})
_SAME: Final = {
    "holdfast.context.Context": "holdfast.Context",
    "holdfast.authoring.workflow": "holdfast.workflow",
    "holdfast.authoring.activity": "holdfast.activity",
    "holdfast.errors.ContinueAsNew": "holdfast.ContinueAsNew",
    "typing.Set": "builtins.set",
    "typing.FrozenSet": "builtins.frozenset",
    "typing.AbstractSet": "builtins.set",
    "collections.abc.Set": "builtins.set",
    "collections.abc.MutableSet": "builtins.set",
}
_SETS: Final = frozenset({_SET, "builtins.frozenset()"})
_SET_METHODS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_LITERALS: Final[dict[type[ast.expr], str]] = {
    ast.List: "builtins.list()",
    ast.ListComp: "builtins.list()",
    ast.Dict: "builtins.dict()",
    ast.DictComp: "builtins.dict()",
    ast.JoinedStr: "builtins.str()",
}


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that is not looked into. `is_shared`: it begins at a variable of a module."""

    name: str
    is_shared: bool = False

    @property
    def is_set(self) -> bool:
        return self.name in _SETS


@dataclass(frozen=True, slots=True)
class Object:
    """An instance of a class that is looked into."""

    kind: Class
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class OfContext:
    """The context of the run, or with a name, a member of it."""

    name: str = ""


Meaning: TypeAlias = Outside | Object | OfContext | Module | Class | Function | None
Kind: TypeAlias = Literal["workflow", "activity", "plain", "unknown"]


class Values:
    """`find_module` gives the module of a name, if it is one to look into."""

    def __init__(self, find_module: Callable[[str], Module | None]) -> None:
        self._find_module = find_module
        self._kinds: dict[Function, Kind] = {}
        self._variables: dict[Variable, Meaning] = {}

    def kind(self, function: Function) -> Kind:
        """What the decorators make of it; unknown when one of them is not known."""
        if function not in self._kinds:
            self._kinds[function] = "plain"  # a decorator that leads back here
            self._kinds[function] = self._kind(function)
        return self._kinds[function]

    def _kind(self, function: Function) -> Kind:
        found: Kind = "plain"
        for decorator in function.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            match self.meaning(called, function.scope.parent or function.scope):
                case Outside(name="holdfast.workflow"):
                    return "workflow"
                case Outside(name="holdfast.activity"):
                    return "activity"
                case Outside(name=name) if name.startswith(("builtins.", "functools.")):
                    pass
                case _:
                    found = "unknown"
        return found

    def meaning(self, node: ast.expr, scope: Scope, depth: int = 0) -> Meaning:
        if depth > DEPTH_MAX:
            return None
        match node:
            case ast.Name(id=name):
                return self._name(name, scope, depth)
            case ast.Attribute(value=value, attr=attr):
                return self._member(self.meaning(value, scope, depth + 1), attr, depth)
            case ast.Call(func=func):
                return self._called(self.meaning(func, scope, depth + 1), depth, is_awaited=False)
            case ast.Await(value=ast.Call(func=func)):
                return self._called(self.meaning(func, scope, depth + 1), depth, is_awaited=True)
            case ast.Await(value=value):
                return self.meaning(value, scope, depth + 1)
            case _:
                return self._of_shape(node, scope, depth)

    def _of_shape(self, node: ast.expr, scope: Scope, depth: int) -> Meaning:
        match node:
            case ast.Set(elts=parts):
                return None if all(map(_makes_task, parts)) else Outside(_SET)
            case ast.SetComp(elt=part):
                return None if _makes_task(part) else Outside(_SET)
            case ast.BinOp(left=left, right=right):
                return self._operated(left, right, node.op, scope, depth)
            case ast.IfExp(body=body, orelse=other):
                return self.meaning(body, scope, depth + 1) or self.meaning(other, scope, depth + 1)
            case ast.NamedExpr(value=value):
                return self.meaning(value, scope, depth + 1)
            case _:
                literal = _LITERALS.get(type(node))
                return Outside(literal) if literal else None

    def _operated(self, left: ast.expr, right: ast.expr, op: ast.operator, scope: Scope, depth: int) -> Meaning:
        for side in (left, right):
            found = self.meaning(side, scope, depth + 1)
            is_path = isinstance(op, ast.Div) and isinstance(found, Outside) and found.name.startswith("pathlib.Path()")
            if is_path or (isinstance(found, Outside) and found.is_set):
                return found
            is_view = isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute) and side.func.attr == "keys"
            if is_view and isinstance(op, (ast.BitAnd, ast.BitOr, ast.Sub, ast.BitXor)):
                return Outside(_SET)
        return None

    # -- names -----------------------------------------------------------------------------------------------------

    def _name(self, name: str, scope: Scope, depth: int) -> Meaning:
        found = scope.find(name)
        if found is None:
            return Outside(f"builtins.{name}") if name in _BUILTINS else None
        return self._bound(*found, depth)

    def _bound(self, binding: Binding, scope: Scope, depth: int) -> Meaning:
        match binding:
            case Imported(name=name):
                return self._imported(name, depth)
            case Parameter():
                return self._parameter(binding, scope, depth)
            case Variable():
                return _shared(self._variable(binding, scope, depth), is_shared=scope.is_module)
            case Function() | Class():
                return binding

    def _imported(self, name: str, depth: int) -> Meaning:
        """The longest part of the name that is a module to look into, then its members."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            module = self._find_module(".".join(parts[:length]))
            if module is not None:
                found: Meaning = module
                for part in parts[length:]:
                    found = self._member(found, part, depth + 1)
                return found
        return Outside(_SAME.get(name, name))

    def _parameter(self, parameter: Parameter, scope: Scope, depth: int) -> Meaning:
        function = parameter.function
        if parameter.position == 0 and self.kind(function) == "workflow":
            return OfContext()
        if parameter.annotation is not None:
            return self.instance(parameter.annotation, scope, depth + 1)
        if parameter.position == 0 and function.owner is not None and not function.node.decorator_list:
            return Object(function.owner)
        return OfContext() if parameter.name == "ctx" else None

    def _variable(self, variable: Variable, scope: Scope, depth: int) -> Meaning:
        if variable not in self._variables:
            self._variables[variable] = None  # as long as it is asked for: `x = x | more`
            self._variables[variable] = self._assigned(variable, scope, depth)
        return self._variables[variable]

    def _assigned(self, variable: Variable, scope: Scope, depth: int) -> Meaning:
        if variable.annotation is not None:
            return self.instance(variable.annotation, scope, depth + 1)
        for value in variable.values:
            found = self.meaning(value, scope, depth + 1)
            if found is not None:
                return found
        return None

    # -- members and calls -----------------------------------------------------------------------------------------

    def _member(self, of: Meaning, name: str, depth: int) -> Meaning:
        match of:
            case Outside(name=whole, is_shared=is_shared):
                dotted = f"{whole}.{name}"
                return Outside(_SAME.get(dotted, dotted), is_shared)
            case Module():
                binding = of.scope.names.get(name)
                if binding is None:
                    return self._find_module(f"{of.name}.{name}")
                return None if depth > DEPTH_MAX else self._bound(binding, of.scope, depth + 1)
            case Class() | Object():
                kind = of.kind if isinstance(of, Object) else of
                return self._of_class(kind, name, depth)
            case OfContext(name=""):
                return OfContext(name)
            case _:
                return None

    def _of_class(self, kind: Class, name: str, depth: int) -> Meaning:
        binding = kind.scope.names.get(name)
        if binding is not None:
            return self._bound(binding, kind.scope, depth + 1)
        for base in kind.node.bases:
            above = self.meaning(base, kind.scope.parent or kind.scope, depth + 1)
            if isinstance(above, Class) and depth < DEPTH_MAX:
                return self._of_class(above, name, depth + 1)
        return None

    def _called(self, what: Meaning, depth: int, *, is_awaited: bool) -> Meaning:
        match what:
            case Outside(name=name, is_shared=is_shared):
                head, _, last = name.rpartition(".")
                return Outside(head if head in _SETS and last in _SET_METHODS else f"{name}()", is_shared)
            case Class():
                return Object(what)
            case Function() if what.node.returns is not None and what.is_async == is_awaited:
                return self.instance(what.node.returns, what.scope.parent or what.scope, depth + 1)
            case _:
                return None

    def instance(self, annotation: ast.expr, scope: Scope, depth: int = 0) -> Meaning:
        """What a value with this annotation is."""
        match annotation:
            case ast.Constant(value=str(text)):
                quoted = _expression(text)
                return None if quoted is None or depth > DEPTH_MAX else self.instance(quoted, scope, depth + 1)
            case ast.BinOp(left=left, right=right):
                return self.instance(left, scope, depth + 1) or self.instance(right, scope, depth + 1)
            case ast.Subscript(value=value, slice=part):
                return None if _is_of_tasks(part) else self.instance(value, scope, depth + 1)
            case _:
                return self._instance_of(self.meaning(annotation, scope, depth + 1))

    def _instance_of(self, kind: Meaning) -> Meaning:
        match kind:
            case Outside(name="holdfast.Context"):
                return OfContext()
            case Outside(name=name):
                return Outside(f"{name}()")
            case Class():
                return Object(kind)
            case _:
                return None


def _makes_task(node: ast.expr) -> bool:
    """Tasks and calls hash by their number in the run: a set of them has an order that repeats."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TASK_MAKERS


def _is_of_tasks(part: ast.expr) -> bool:
    return any(word in ast.unparse(part) for word in ("Task", "Future", "Call"))


def _shared(found: Meaning, *, is_shared: bool) -> Meaning:
    if not is_shared:
        return found
    match found:
        case Outside(name=name) if "()" in name:
            return Outside(name, is_shared=True)
        case Object(kind=kind):
            return Object(kind, is_shared=True)
        case _:
            return found


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
