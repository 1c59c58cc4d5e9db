"""What two sidecars say to each other survives the way, and what is no frame is told so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.cluster.words import (
    Answer,
    BadFrame,
    Frame,
    Greeting,
    PeerError,
    Refusal,
    RunOrder,
    StopOrder,
    WatchOrder,
    decode_frame,
    encode_frame,
    error_of,
    refusal_of,
)
from holdfast_sidecar.core.errors import Kind, NotOwner, Unavailable

T = TypeVar("T")
_NAMES, _NUMBERS = st.text(max_size=20), st.integers(0, 2**53)


_BOOLS = st.booleans()
_REFUSALS = st.builds(Refusal, _NAMES, st.sampled_from(Kind), _NAMES)


def _many(shape: Callable[..., T], *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[T]]:
    return st.lists(st.builds(shape, *fields), max_size=4)


_FRAMES = st.builds(
    Frame,
    greeting=st.none() | st.builds(Greeting, _NUMBERS, _NAMES, _NAMES, _NAMES, _NAMES, _NUMBERS),
    answers=_many(Answer, _NUMBERS, st.none() | _REFUSALS),
    runs=_many(RunOrder, _NAMES, _NAMES, _NUMBERS, st.binary(max_size=20)),
    stops=_many(StopOrder, _NAMES, _NAMES, _NUMBERS, _NUMBERS, _BOOLS),
    watches=_many(WatchOrder, _NUMBERS, _NAMES, _BOOLS),
    unwatches=st.lists(_NUMBERS, max_size=4),
    hears_placement=st.none() | _BOOLS,
)


@given(_FRAMES)
def test_a_frame_survives_the_way(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_bad_frame(data: bytes) -> None:
    with suppress(BadFrame):
        assert isinstance(decode_frame(data), Frame)


@pytest.mark.parametrize("error", [NotOwner("not here"), Unavailable("try again")])
def test_an_error_is_the_same_on_the_other_side(error: NotOwner | Unavailable) -> None:
    there = error_of(refusal_of(error))
    assert (type(there), str(there), there.kind, there.name) == (type(error), str(error), error.kind, error.name)


def test_an_error_that_this_release_does_not_know_keeps_its_kind_and_name() -> None:
    error = error_of(Refusal("Strange", Kind.UNAVAILABLE, "from the future"))
    assert isinstance(error, PeerError)
    assert (error.name, error.kind, str(error)) == ("Strange", Kind.UNAVAILABLE, "from the future")
