"""Cursors come back from clients, who may send anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.core.errors import InvalidRequest
from holdfast_sidecar.stores.cursor import decode_cursor, encode_cursor

TIMES = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TIMES, TEXTS, TEXTS)
def test_a_position_comes_back_as_it_was(at: int, instance_id: str, name: str) -> None:
    position = (at, instance_id, name)
    cursor = encode_cursor(position)
    assert cursor.isascii()
    assert decode_cursor(cursor, tuple[int, str, str]) == position


def test_the_empty_cursor_is_no_position() -> None:
    assert decode_cursor("", tuple[int, str]) is None


@pytest.mark.parametrize(
    "cursor",
    ["x", "%%%", "ü", "\ud800", encode_cursor((1,)), encode_cursor((1, "a", "b")), encode_cursor((2**63, "a"))],
    ids=ascii,
)
def test_what_no_page_gave_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="start again without a cursor"):
        decode_cursor(cursor, tuple[int, str])


@given(st.text())
def test_any_text_is_a_position_or_refused(cursor: str) -> None:
    try:
        position = decode_cursor(cursor, tuple[int, str])
    except InvalidRequest:
        return
    assert position is None or len(position) == 2
