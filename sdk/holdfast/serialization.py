"""Values as JSON text by their annotations, and back. Never pickle.

Known are all of JSON, dataclasses, msgspec structs, attrs, TypedDict, NamedTuple, datetime and its kin, UUID, Decimal,
enums, bytes (base64), tuples, sets, Optional and decidable unions, pydantic models, and whatever has a converter.
A parameter without annotation takes what JSON gives. What has the wrong type is named by its place:

    charge(order): expected int at $.amount, found str "x"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar, cast

import msgspec
from msgspec import inspect

from holdfast.errors import DefinitionError, PayloadError

T = TypeVar("T")


class _Converter(NamedTuple):
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class _Misfit(ValueError):
    """A model's own complaint, with the place inside the model."""

    def __init__(self, text: str, place: str, found: str) -> None:
        super().__init__(text)
        self.text = text
        self.place = place
        self.found = found


_converters: dict[type, _Converter] = {}
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_SHOWN_MAX: Final = 60  # characters of a value in a message
_WORDED: Final = re.compile(r"^(?P<text>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_EXPECTED: Final = re.compile(r"^Expected `(?P<expected>.*)`, got `(?P<found>.*)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_ADVICE: Final = "use a dataclass, TypedDict, msgspec.Struct or pydantic model, or holdfast.register_converter()"


def register_converter(kind: type[T], *, encode: Callable[[T], Any], decode: Callable[[Any], T]) -> None:
    """Teaches payloads a class: `encode` gives what JSON (or this module) knows, `decode` takes that back."""
    _converters[kind] = _Converter(encode, decode)
    _decoders.clear()


def forget_converter(kind: type) -> None:
    _converters.pop(kind, None)
    _decoders.clear()


def encode(value: Any, *, what: str) -> str:
    """JSON text. `what` names the value in errors, such as `result of charge()`."""
    try:
        return _encoder.encode(value).decode()
    except PayloadError as error:
        raise PayloadError(f"{what}: {error}") from error
    except RecursionError as error:
        raise PayloadError(f"{what}: expected a tree of values, found one that contains itself") from error
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise PayloadError(f"{what}: cannot be written as JSON: {error}; {_ADVICE}") from error


def decode(text: str | bytes | msgspec.Raw | None, kind: Any, *, what: str) -> Any:
    """The value of that type. No payload at all is None, where the type allows it."""
    if text is None:
        if kind is Any or kind is None or kind is type(None):
            return None
        text = "null"
    try:
        return (_decoders.get(kind) or _decoder(kind, what)).decode(text)
    except msgspec.ValidationError as error:
        raise _explained(error, text, what) from None
    except NotImplementedError as error:
        raise PayloadError(f"{what}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PayloadError(f"{what}: expected JSON, found {_shown(str(text))}: {error}") from error


def check_type(kind: Any, *, what: str) -> None:
    """Raises DefinitionError for a type that no payload can be read as, so that a declaration fails, not a run."""
    try:
        _decoder(kind, what)
    except PayloadError as error:
        raise DefinitionError(str(error)) from error
    for unknown in _unknown(inspect.type_info(kind), set()):
        raise DefinitionError(f"{what}: values of type {unknown.__qualname__} cannot be read; {_ADVICE}")


def _unknown(node: object, seen: set[int]) -> Iterator[type]:
    """Classes inside a type that neither JSON nor a converter can make."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, inspect.CustomType):
        if node.cls not in _converters and node.cls is not object and not hasattr(node.cls, "model_validate"):
            yield node.cls
    elif isinstance(node, tuple):
        for part in cast("tuple[object, ...]", node):
            yield from _unknown(part, seen)
    elif isinstance(node, (inspect.Type, inspect.Field)):
        for name in node.__struct_fields__:
            yield from _unknown(getattr(node, name), seen)


def _decoder(kind: Any, what: str) -> msgspec.json.Decoder[Any]:
    try:
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(kind, dec_hook=_decode_other)
    except (TypeError, NotImplementedError, NameError) as error:
        raise PayloadError(f"{what}: values of type {kind!r} cannot be read: {error}") from error
    with suppress(TypeError):  # an annotation that cannot be hashed: built again each time
        _decoders[kind] = decoder
    return decoder


def _encode_other(value: Any) -> Any:
    for base in type(value).__mro__:
        if base in _converters:
            return _converters[base].encode(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    raise PayloadError(f"a value of type {type(value).__qualname__} cannot be written as JSON; {_ADVICE}")


_encoder: Final = msgspec.json.Encoder(enc_hook=_encode_other)


def _decode_other(kind: type, value: Any) -> Any:
    if kind is object:
        return value
    if kind in _converters:
        return _converters[kind].decode(value)
    if hasattr(kind, "model_validate"):
        return _validated(kind, value)
    raise NotImplementedError(f"{kind.__qualname__} is not known; {_ADVICE}")


def _validated(model: Any, value: Any) -> Any:
    try:
        return model.model_validate(value)
    except ValueError as error:
        problems = getattr(error, "errors", None)
        if problems is None:
            raise
        first = problems()[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        raise _Misfit(str(first["msg"]), place, _found(first.get("input"))) from error


def _explained(error: msgspec.ValidationError, text: str | bytes | msgspec.Raw, what: str) -> PayloadError:
    match = _WORDED.match(str(error))
    path = (match and match["path"]) or "$"
    if isinstance(misfit := error.__cause__, _Misfit):
        path += misfit.place
        return PayloadError(f"{what}: {_lowered(misfit.text)} at {path}, found {misfit.found}", path=path)
    said = match["text"] if match else str(error)
    expected = _EXPECTED.match(said)
    if expected is None:
        return PayloadError(f"{what}: {_lowered(said)} at {path}", path=path)
    found = _at(text, path, expected["found"])
    return PayloadError(f"{what}: expected {expected['expected']} at {path}, found {found}", path=path)


def _at(text: str | bytes | msgspec.Raw, path: str, kind: str) -> str:
    """The value at that place, for a person; just its kind where the path does not lead to one."""
    value = msgspec.json.decode(text)
    for name, index in _STEP.findall(path.removeprefix("$")):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return kind
    return _found(value) if "[...]" not in path else kind


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    kind = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else type(value).__name__
    return f"{kind} {_shown(msgspec.json.encode(value, enc_hook=repr).decode())}"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
