"""Messages of any schema, filled with whatever fits, and bytes that were messages once."""

from __future__ import annotations

from typing import cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

_DEPTH = 4
_TEXTS = st.one_of(st.sampled_from(["", "i", "order", "unknown", "x" * 300]), st.text(max_size=8))
_INT32 = st.one_of(st.integers(-3, 12), st.integers(-(2**31), 2**31 - 1))
_INT64 = st.one_of(st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1))
_UINT32 = st.one_of(st.integers(0, 12), st.integers(0, 2**32 - 1))
_UINT64 = st.one_of(st.integers(0, 12), st.integers(0, 2**64 - 1))
_SCALARS: dict[int, st.SearchStrategy[object]] = {
    FieldDescriptor.TYPE_STRING: _TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_ENUM: _INT32,
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
}


@st.composite
def messages(draw: st.DrawFn, kind: type[Message]) -> bytes:
    message = kind()
    _fill(draw, message, _DEPTH)
    return message.SerializeToString()


@st.composite
def torn(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A message with a piece cut out, or with one byte changed."""
    data = draw(whole)
    first = draw(st.integers(0, len(data)))
    last = draw(st.integers(first, len(data)))
    return data[:first] + draw(st.one_of(st.just(b""), st.binary(max_size=3))) + data[last:]


def _fill(draw: st.DrawFn, message: Message, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if draw(st.integers(0, 2)) == 0:
            _set(draw, message, cast(FieldDescriptor, field), depth)


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    count = draw(st.integers(0, 3)) if field.is_repeated else 1
    for _ in range(count):
        if field.message_type is not None:
            target = getattr(message, field.name)
            inner = target.add() if field.is_repeated else target
            if depth:
                _fill(draw, inner, depth - 1)
            elif not field.is_repeated:
                inner.SetInParent()
        elif field.is_repeated:
            getattr(message, field.name).append(draw(_SCALARS[field.type]))
        else:
            setattr(message, field.name, draw(_SCALARS[field.type]))
