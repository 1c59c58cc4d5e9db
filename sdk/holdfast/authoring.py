"""Declaring workflows and activities.

    @holdfast.activity
    async def charge(order: Order) -> Receipt: ...

    @holdfast.workflow
    async def checkout(ctx: holdfast.Context, order: Order) -> Receipt:
        return await ctx.call(charge, order)

A declared activity is still a function: calling it runs it, which is what its tests want. On a method, the class
carries its dependencies: `ctx.call(Payments.charge, order)` in the workflow, `Worker(Payments(db))` in the app.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from holdfast._signature import Signature
from holdfast.errors import DefinitionError

if TYPE_CHECKING:
    from holdfast.context import Context

if sys.version_info >= (3, 12):
    from inspect import markcoroutinefunction
else:

    def markcoroutinefunction(function: Any) -> Any:
        """Before 3.12 nobody asks an object that is called whether it is a coroutine function."""
        return function


P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Activity(Generic[P, R_co]):
    """A function that may do anything, run at least once by a worker. Made by @activity."""

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        raises: Sequence[type[BaseException]] = (),
        in_process: bool = False,
        owner: object = None,
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.raises = tuple(raises)
        self.in_process = in_process
        self.owner = owner
        self.is_async = inspect.iscoroutinefunction(function)
        self.is_method = _is_method(function)
        self.signature = Signature(function, skipping=int(self.is_method), what=self.name)
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        if self.owner is not None:
            return cast("Callable[..., R_co]", self.function)(self.owner, *args, **kwargs)
        return self.function(*args, **kwargs)

    @overload
    def __get__(self: Activity[Concatenate[Any, Q], R], instance: None, owner: type) -> Activity[Q, R]: ...
    @overload
    def __get__(
        self: Activity[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> Activity[Q, R]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self.bound_to(instance)

    def bound_to(self, owner: object) -> Activity[..., R_co]:
        """The same activity of an object that holds its dependencies."""
        bound: Activity[..., R_co] = object.__new__(type(self))
        bound.__dict__.update(self.__dict__)
        bound.owner = owner
        return bound

    def __repr__(self) -> str:
        return f"<activity {self.name!r} ({self.__module__}.{self.__qualname__})>"


class Workflow(Generic[P, R_co]):
    """A function that can be replayed, run by a worker from its history. Made by @workflow."""

    def __init__(self, function: Callable[..., Any], *, name: str | None = None, version: str | None = None) -> None:
        self.function = function
        self.name = name or function.__name__
        self.version = version
        self.signature = Signature(function, skipping=1, what=self.name)
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        self._check()

    def __call__(self, ctx: Context, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R_co]:
        """Runs the function as part of the workflow that calls it, not as a child."""
        return cast("Awaitable[R_co]", self.function(ctx, *args, **kwargs))

    def __repr__(self) -> str:
        version = f" version {self.version!r}" if self.version else ""
        return f"<workflow {self.name!r}{version} ({self.__module__}.{self.__qualname__})>"

    def _check(self) -> None:
        function = self.function
        if not (inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)):
            raise DefinitionError(
                f"workflow {self.name!r}: expected `async def`, or a `def` that yields, found a plain function; "
                "make it `async def`"
            )
        if len(self.signature.parameters) > 1:
            names = ", ".join(parameter.name for parameter in self.signature.parameters)
            raise DefinitionError(
                f"workflow {self.name!r}: expected the context and at most one input, found {names}; "
                "put them into one dataclass, which can grow later"
            )


@overload
def activity(function: Callable[P, R], /) -> Activity[P, R]: ...
@overload
def activity(
    *, name: str | None = None, raises: Sequence[type[BaseException]] = (), in_process: bool = False
) -> Callable[[Callable[P, R]], Activity[P, R]]: ...
def activity(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declares a function or method, sync or async, as an activity.

    `name`: what it is called in histories, by default the function's name; keep it when the function is renamed.
    `raises`: exception types that come back as themselves in the workflow, made of the remote message; every other
    failure is ActivityFailed. `in_process`: run it in a process of its own, for work that keeps a core busy.
    """

    def declare(function: Callable[..., Any]) -> Activity[..., Any]:
        if isinstance(function, (Activity, Workflow)) or not inspect.isfunction(function):
            raise DefinitionError(f"@activity: expected a function or a method, found {function!r}")
        return Activity(function, **options)

    return declare if function is None else declare(function)


@overload
def workflow(function: Callable[Concatenate[Context, P], Awaitable[R]], /) -> Workflow[P, R]: ...
@overload
def workflow(function: Callable[Concatenate[Context, P], Generator[Any, Any, R]], /) -> Workflow[P, R]: ...
@overload
def workflow(*, name: str | None = None, version: str | None = None) -> _Declare: ...
def workflow(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declares a function as a workflow: `async def`, or `def` that yields what it waits for.

    Its first parameter is the Context, its second, if any, the input. Several functions may share a `name` if each has
    a `version` of its own: an instance stays with the version that it began with, new ones begin with the newest.
    """

    def declare(function: Callable[..., Any]) -> Workflow[..., Any]:
        if isinstance(function, (Activity, Workflow)) or not inspect.isfunction(function):
            raise DefinitionError(f"@workflow: expected a function, found {function!r}")
        return Workflow(function, **options)

    return declare if function is None else declare(function)


class _Declare:
    """What @workflow(...) with options is: the decorator proper, for type checkers."""

    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], Awaitable[R]], /) -> Workflow[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], Generator[Any, Any, R]], /) -> Workflow[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        raise NotImplementedError


def _is_method(function: Callable[..., Any]) -> bool:
    """Whether it is defined in a class body: its first parameter is then the object it is called on."""
    return function.__qualname__.rpartition(".")[0].rpartition(".")[2] not in ("", "<locals>")
