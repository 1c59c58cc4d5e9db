"""What a declared function takes and gives, and how its arguments travel.

No argument: no payload. One: its value. Several: an array, in order. How many is decided by the declaration, not by the
call, so that one argument that is a list stays one argument.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import FrameType
from typing import Any, Final

import msgspec

from holdfast import serialization
from holdfast.errors import DefinitionError, PayloadError

_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_RETURNING: Final = (Generator, Coroutine)  # the result is their last argument
_ENCLOSING_MAX: Final = 3  # a class body and two functions around it
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """Of a workflow or an activity. Annotations are looked up when first needed, as they may name what comes later."""

    __slots__ = ("_function", "_least", "_locals", "_result", "_types", "name", "parameters")

    def __init__(self, function: Callable[..., Any], *, skipping: int, what: str) -> None:
        self._function = function
        self.name = what
        self._types: tuple[Any, ...] | None = None
        self._result: Any = Any
        self.parameters = _parameters(function, skipping, what)
        self._least = sum(parameter.default is inspect.Parameter.empty for parameter in self.parameters)
        self._locals = _enclosing(function)

    @property
    def types(self) -> tuple[Any, ...]:
        if self._types is None:
            self._resolve()
        assert self._types is not None
        return self._types

    @property
    def result(self) -> Any:
        if self._types is None:
            self._resolve()
        return self._result

    def check(self) -> None:
        """Raises DefinitionError if an annotation cannot be found, or names what no payload can be read as."""
        for parameter, kind in zip(self.parameters, self.types, strict=True):
            serialization.check_type(kind, what=f"{self.name}({parameter.name})")
        serialization.check_type(self.result, what=f"result of {self.name}()")

    def encode(self, arguments: tuple[Any, ...]) -> str | None:
        self._check_count(len(arguments))
        if len(self.parameters) == 1 and arguments:
            return serialization.encode(arguments[0], what=f"{self.name}({self.parameters[0].name})")
        return encode_arguments(arguments, what=self.name) if arguments else None

    def decode(self, payload: str | None) -> tuple[Any, ...]:
        """The arguments to call the function with; those left out have defaults."""
        if not self.parameters:
            return ()
        if len(self.parameters) == 1:
            if payload is None and self.parameters[0].default is not inspect.Parameter.empty:
                return ()
            return (self._argument(0, payload),)
        values = _elements(payload)
        self._check_count(len(values))
        return tuple(self._argument(at, value) for at, value in enumerate(values))

    def encode_result(self, value: Any) -> str | None:
        return None if value is None else serialization.encode(value, what=f"result of {self.name}()")

    def decode_result(self, payload: str | None) -> Any:
        return serialization.decode(payload, self.result, what=f"result of {self.name}()")

    def _argument(self, at: int, payload: Any) -> Any:
        return serialization.decode(payload, self.types[at], what=f"{self.name}({self.parameters[at].name})")

    def _check_count(self, count: int) -> None:
        if not self._least <= count <= len(self.parameters):
            names = ", ".join(parameter.name for parameter in self.parameters) or "nothing"
            raise PayloadError(f"{self.name}(): expected {names}, found {count} argument{'s' * (count != 1)}")

    def _resolve(self) -> None:
        try:
            hints = typing.get_type_hints(self._function, localns=self._locals, include_extras=True)
        except NameError as error:
            raise DefinitionError(
                f"{self.name}(): the annotation {error.name!r} cannot be found; define it at module level, or before "
                "the function"
            ) from error
        self._types = tuple(hints.get(parameter.name, Any) for parameter in self.parameters)
        self._result = _result_of(hints.get("return", Any))
        self._locals = None


def encode_arguments(arguments: tuple[Any, ...], *, what: str) -> str | None:
    """For a function known only by name: one argument is its value, several are an array."""
    if not arguments:
        return None
    return serialization.encode(arguments[0] if len(arguments) == 1 else arguments, what=what)


def _elements(payload: str | None) -> list[Any]:
    if payload is None:
        return []
    try:
        return list(_RAW.decode(payload))
    except msgspec.DecodeError:
        return [payload]  # a caller by name that gave only the first


def _parameters(function: Callable[..., Any], skipping: int, what: str) -> tuple[inspect.Parameter, ...]:
    declared = list(inspect.signature(function).parameters.values())
    if len(declared) < skipping:
        raise DefinitionError(f"{what}(): expected a first parameter for the context, found none")
    for parameter in declared:
        if parameter.kind not in _POSITIONAL and parameter.default is inspect.Parameter.empty:
            raise DefinitionError(
                f"{what}(): parameter {parameter.name!r} is {parameter.kind.description}; only positional ones travel, "
                "give it a default or make it positional"
            )
    return tuple(parameter for parameter in declared[skipping:] if parameter.kind in _POSITIONAL)


def _enclosing(function: Callable[..., Any]) -> dict[str, Any] | None:
    """The names around a function that is defined inside another: typing looks only at module level."""
    if "<locals>" not in function.__qualname__:
        return None
    filename = function.__code__.co_filename
    frame = inspect.currentframe()
    around: list[FrameType] = []
    while frame is not None and frame.f_code.co_name != "<module>" and len(around) < _ENCLOSING_MAX:
        if frame.f_code.co_filename == filename:
            around.append(frame)
        frame = frame.f_back
    names: dict[str, Any] = {}
    for frame in reversed(around):
        names |= frame.f_locals
    return names


def _result_of(annotation: Any) -> Any:
    origin = typing.get_origin(annotation)
    if origin in _RETURNING:
        return typing.get_args(annotation)[-1]
    if origin is Awaitable:
        return typing.get_args(annotation)[0]
    return Any if annotation in _RETURNING else annotation
