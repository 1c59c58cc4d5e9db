"""Errors of user code as values that travel, and back to what a retry policy asks about them."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import PurePath
from types import TracebackType
from typing import Final, cast

from holdfast.errors import NonRetryable, NotAllowedInWorkflow, RemoteFailure
from holdfast_proto.history import Failure
from holdfast_proto.v1 import history_pb2 as pb

_HERE: Final = PurePath(__file__).parents[1]
_FOLDERS: Final = (str(_HERE), _HERE.name, str(PurePath(asyncio.__file__).parent))  # compiled code has only the name
_OURS: Final = tuple(folder + separator for folder in _FOLDERS for separator in "/\\")
_CAUSES_MAX: Final = 10  # of one error: deeper chains say nothing new
_STACK_MAX: Final = 32_000  # characters: a traceback is read by people
# One entry of the protobuf map of details that failures carry: {"bases": a google.protobuf.Value with a string}. By
# hand, as importing that message takes longer than all the rest of this package.
_BASES: Final = b"bases"
_STRING: Final = b"\x1a"
_COMMON: Final = frozenset({object, BaseException, Exception})


def is_ours(filename: str) -> bool:
    """Whether a frame is of this package or of asyncio, and so not what a user wants to see first."""
    return filename.startswith(_OURS)


def failure_of(error: BaseException, *, depth: int = 0) -> Failure:
    """The error with its traceback as text and its causes. The text begins where the user's code does."""
    shown = _explained(error)
    return Failure(
        kind=type(shown).__name__,
        message=_text(shown),
        stack=_stack(error, shown),
        cause=_cause(shown, depth),
        is_non_retryable=isinstance(error, NonRetryable),
        properties=_properties(type(shown)),
    )


def inner_errors(error: BaseException) -> tuple[BaseException, ...]:
    """What a group holds; nothing for any other error."""
    return cast("BaseExceptionGroup[BaseException]", error).exceptions if isinstance(error, BaseExceptionGroup) else ()


def bases_of(failure: Failure) -> tuple[str, ...]:
    """Names of the base classes of a remote error, as far as its worker told them."""
    if not failure.properties:
        return ()
    for entry in pb.Failure.FromString(failure.properties).properties:
        if entry[:2] == b"\n\x05" and entry[2:7] == _BASES and entry[7:8] == b"\x12":
            value = _after_length(entry, 8)
            return tuple(_after_length(value, 1).decode().split()) if value[:1] == _STRING else ()
    return ()


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - __str__ of a user's class
        return f"<{type(error).__name__} whose text cannot be had: {type(broken).__name__}>"


def _explained(error: BaseException) -> BaseException:
    """asyncio's own words for awaiting something foreign say what happened, not what to do."""
    text = _text(error) if type(error) is RuntimeError else ""
    if "attached to a different loop" in text or "Task got bad yield" in text:
        return NotAllowedInWorkflow(
            "the workflow awaited something that does not belong to it (a future of another loop, or real I/O); "
            f"do that in an activity and await ctx.call(...). asyncio says: {text}"
        )
    return error


def _stack(error: BaseException, shown: BaseException) -> str:
    lines = traceback.format_exception(type(shown), shown, _from_user_code(error.__traceback__))
    text = "".join(lines)
    return text if len(text) <= _STACK_MAX else f"{text[: _STACK_MAX // 2]}\n  …\n{text[-_STACK_MAX // 2 :]}"


def _from_user_code(trace: TracebackType | None) -> TracebackType | None:
    first = trace
    while first is not None and is_ours(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    return first if first is not None else trace


def _cause(error: BaseException, depth: int) -> Failure | None:
    if isinstance(error, RemoteFailure):
        return error.failure
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    cause = cause or next(iter(inner_errors(error)), None)
    return None if cause is None or depth >= _CAUSES_MAX else failure_of(cause, depth=depth + 1)


def _properties(kind: type[BaseException]) -> bytes:
    names = [base.__name__ for base in kind.__mro__[1:] if base not in _COMMON]
    if not names:
        return b""
    text = " ".join(names).encode()
    value = _STRING + _length(len(text)) + text
    return pb.Failure(properties=[b"\n\x05" + _BASES + b"\x12" + _length(len(value)) + value]).SerializeToString()


def _length(number: int) -> bytes:
    """A varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _after_length(data: bytes, at: int) -> bytes:
    while data[at] & 0x80:
        at += 1
    return data[at + 1 :]
