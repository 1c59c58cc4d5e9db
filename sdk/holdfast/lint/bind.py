"""Fills the scopes of a module from its syntax tree."""

from __future__ import annotations

import ast

from holdfast.lint.scope import Binding, Class, Definition, Function, Imported, Module, Parameter, Scope, Variable


def bind(module: Module, tree: ast.Module) -> None:
    _Binder(module).visit(tree)


class _Binder(ast.NodeVisitor):
    def __init__(self, module: Module) -> None:
        self._module = module
        self._scope = module.scope
        self._owner: Class | None = None
        self._qualname: tuple[str, ...] = ()

    # -- what is defined -------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: Definition) -> None:
        scope = Scope(self._module, self._scope)
        path = (*self._qualname, node.name)
        function = Function(node, scope, ".".join(path), self._owner)
        self._bind(node.name, function)
        self._module.functions.append(function)
        for position, (name, annotation) in enumerate(_parameters(node.args)):
            scope.names[name] = Parameter(function, position, name, annotation)
        self._inside(scope, None, path, node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        scope = Scope(self._module, self._scope, is_class=True)
        path = (*self._qualname, node.name)
        found = Class(node, scope, ".".join(path))
        self._bind(node.name, found)
        self._inside(scope, found, path, node.body)

    def _inside(self, scope: Scope, owner: Class | None, path: tuple[str, ...], body: list[ast.stmt]) -> None:
        before = self._scope, self._owner, self._qualname
        self._scope, self._owner, self._qualname = scope, owner, path
        for statement in body:
            self.visit(statement)
        self._scope, self._owner, self._qualname = before

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for name, _ in _parameters(node.args):
            self._bind(name, Variable())
        self.generic_visit(node)

    # -- what is imported ------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self._bind(alias.asname or top, Imported(alias.name if alias.asname else top))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = _absolute(self._module, node.module or "", node.level)
        for alias in node.names:
            self._bind(alias.asname or alias.name, Imported(f"{base}.{alias.name}"))

    # -- what is assigned ------------------------------------------------------------------------------------------

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.globals.update(node.names)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assign(target, node.value)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, Variable([node.value] if node.value else [], node.annotation))
        if node.value is not None:
            self.visit(node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._assign(node.target, node.value)
        self.visit(node.value)

    def visit_For(self, node: ast.For) -> None:
        self._assign(node.target, None)
        self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._assign(node.target, None)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._assign(node.target, None)
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._assign(node.optional_vars, node.context_expr)
        self.visit(node.context_expr)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, Variable())
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._bind(node.name, Variable())
        self.generic_visit(node)

    def _assign(self, target: ast.expr, value: ast.expr | None) -> None:
        match target:
            case ast.Name(id=name):
                self._bind(name, Variable([value] if value is not None else []))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._assign(part, None)
            case ast.Starred(value=part):
                self._assign(part, None)
            case _:
                self.visit(target)

    def _bind(self, name: str, binding: Binding) -> None:
        scope = self._module.scope if name in self._scope.globals else self._scope
        known = scope.names.get(name)
        if isinstance(known, (Variable, Parameter)) and isinstance(binding, Variable):
            if isinstance(known, Variable):
                known.values += binding.values
                known.annotation = known.annotation or binding.annotation
            return
        scope.names[name] = binding


def _parameters(arguments: ast.arguments) -> list[tuple[str, ast.expr | None]]:
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [(argument.arg, argument.annotation) for argument in named] + [(argument.arg, None) for argument in rest]


def _absolute(module: Module, name: str, level: int) -> str:
    if level == 0:
        return name
    package = module.name.split(".")
    keep = len(package) - level + int(module.is_package)
    return ".".join([*package[:keep], *([name] if name else [])])
