"""Whatever bytes arrive, the only error is a BadRequest that says what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.api.durabletask import dapr, microsoft, requests, shared
from holdfast_sidecar.api.durabletask.dialect import after_answer, open_stream
from holdfast_sidecar.api.durabletask.errors import BadRequest
from holdfast_sidecar.api.durabletask.evidence import dialect_of
from holdfast_sidecar.api.durabletask.wire import Malformed, field, fields, repeated, text, varint
from tests.unit.proto.vectors import BY_CLIENT

READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "a turn of Microsoft": microsoft.read_turn_answer,
    "a turn of Dapr": dapr.read_turn_answer,
    "a turn of anybody": shared.read_turn_answer,
    "an activity": microsoft.read_activity_answer,
    "a stream": open_stream,
    "an answer of a stream": lambda data: after_answer(open_stream(b""), data),
    **{name: getattr(requests, name) for name in dir(requests) if name.startswith("read_")},
}


def valid() -> Iterator[bytes]:
    for vectors in BY_CLIENT.values():
        yield from map(bytes.fromhex, vectors["scenarios"].values())
        for filled in vectors["filled"].values():
            yield from map(bytes.fromhex, filled)


VALID: Final = sorted(set(valid()))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 2)):
            case 0:
                data[place:place] = draw(st.binary(min_size=1, max_size=3))
            case 1:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case _:
                del data[place : place + draw(st.integers(1, 4))]
    return bytes(data)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@given(data=st.one_of(st.binary(max_size=80), mutated()))
def test_bytes_are_read_or_refused_by_name(read: Callable[[bytes], object], data: bytes) -> None:
    with suppress(BadRequest):
        read(data)


@given(st.one_of(st.binary(max_size=80), mutated()))
def test_looking_for_a_dialect_never_fails(data: bytes) -> None:
    dialect_of(data)


@given(st.integers(0, 2**70 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    (found,) = fields(b"\x08" + varint(number))
    assert found == (1, number)


@given(st.text(max_size=300), st.lists(st.binary(max_size=300), max_size=3))
def test_fields_are_read_as_they_were_written(word: str, bodies: list[bytes]) -> None:
    data = text(b"\x0a", word) + repeated(b"\x12", bodies) + field(b"\x1a", b"x") + b"\x25abcd" + b"\x29abcdefgh"
    assert list(fields(data)) == [
        (1, word.encode()),
        *((2, body) for body in bodies),
        (3, b"x"),
        (4, b"abcd"),
        (5, b"abcdefgh"),
    ]


@pytest.mark.parametrize("data", [b"\x0a\x05abc", b"\x08\x80", b"\x0b", b"\x02\x00", b"\x08" + b"\x80" * 11])
def test_bytes_of_another_form_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(fields(data))
