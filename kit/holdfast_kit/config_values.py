"""From what stands in YAML or in the environment to a field's type.

bool            true, false, yes, no, on, off, 1, 0
int             a number; a size like "4MiB" where the field's name ends in `_bytes`
float           a number
timedelta       a duration like "3s" or "1h30m"
Path, str       text
Enum, Literal   one of the values
X | None        X, or null
tuple[X, ...]   a list, or text with commas
dict[str, X]    a mapping, or text like `a=1,b=2`
Annotated[X, Between(1, 65535)]     X within bounds, both included
"""

import math
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from holdfast_kit.durations import format_duration, parse_duration, parse_size

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a value, both included; None is no bound. They may be numbers or durations."""

    least: Any = None
    most: Any = None

    def __str__(self) -> str:
        least, most = _shown(self.least), _shown(self.most)
        if self.most is None:
            return f"at least {least}"
        return f"at most {most}" if self.least is None else f"between {least} and {most}"

    def holds(self, value: Any) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


class Problem(ValueError):
    """A value that does not fit."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}")
        self.expected = expected
        self.value = value

    def text(self, subject: str, *, is_secret: bool = False) -> str:
        """A secret value is never shown, only its kind."""
        found = type(self.value).__name__ if is_secret else repr(self.value)
        return f"{subject}: expected {self.expected}, found {found}"


def convert(hint: Any, value: object, name: str) -> object:
    """`value` as `hint` says, or `Problem`. `name` is the field's, because `_bytes` at its end means a size."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(convert(args[0], value, name), args[1:], value)
    if origin in (Union, types.UnionType):
        return _optional(args, value, name)
    if origin is Literal:
        return _one_of({str(choice): choice for choice in args}, value)
    if origin is tuple:
        return tuple(convert(args[0], item, name) for item in _items(value))
    if origin is dict:
        return {key: convert(args[1], item, name) for key, item in _pairs(value).items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _one_of({str(member.value): member for member in hint}, value)
    if hint is int and name.endswith("_bytes") and isinstance(value, str):
        return _parsed(parse_size, value, "a size like '64KiB' or '4MiB'")
    if hint in _SCALARS:
        return _SCALARS[hint](value)
    raise TypeError(f"{name}: a configuration field cannot be of type {hint}")


def unwrapped(hint: Any) -> Any:
    """The type without its annotations."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _bounded(converted: object, extras: tuple[object, ...], value: object) -> object:
    for extra in extras:
        if isinstance(extra, Between) and converted is not None and not extra.holds(converted):
            raise Problem(str(extra), value)
    return converted


def _optional(args: tuple[Any, ...], value: object, name: str) -> object:
    if value is None:
        return None
    return convert(next(arg for arg in args if arg is not types.NoneType), value, name)


def _one_of(choices: Mapping[str, object], value: object) -> object:
    if str(value) not in choices:
        raise Problem("one of " + ", ".join(choices), value)
    return choices[str(value)]


def _items(value: object) -> list[object]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, (list, tuple)):
        return list(cast("list[object]", value))
    raise Problem("a list", value)


def _pairs(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(key): item for key, item in cast("Mapping[object, object]", value).items()}
    parts = [part.partition("=") for part in cast("list[str]", _items(value))] if isinstance(value, str) else []
    if not isinstance(value, str) or any(not mark for _, mark, _ in parts):
        raise Problem("a mapping like 'a=1,b=2'", value)
    return {key.strip(): item.strip() for key, _, item in parts}


def _bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise Problem("true or false", value)


def _int(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _parsed(int, value, "a whole number")


def _float(value: object) -> object:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(cast("float", value)) if is_number else _parsed(float, value, "a number")
    if not math.isfinite(cast("float", number)):
        raise Problem("a finite number", value)
    return number


def _duration(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    return _parsed(parse_duration, "0" if value == 0 and value is not False else value, "a duration like '3s' or '5m'")


def _str(value: object) -> object:
    if isinstance(value, str):
        return value
    raise Problem("text (put it in quotes)", value)


def _path(value: object) -> object:
    return value if isinstance(value, Path) else Path(cast("str", _str(value)))


def _parsed(parse: Callable[[str], object], value: object, expected: str) -> object:
    if not isinstance(value, str):
        raise Problem(expected, value)
    try:
        return parse(value.strip())
    except ValueError as error:
        raise Problem(expected, value) from error


def _shown(bound: object) -> str:
    return format_duration(bound) if isinstance(bound, timedelta) else str(bound)


_SCALARS: dict[Any, Callable[[object], object]] = {
    bool: _bool,
    int: _int,
    float: _float,
    timedelta: _duration,
    str: _str,
    Path: _path,
}
