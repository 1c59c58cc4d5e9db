"""A token comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.api.durabletask.tokens import Token, Work, read_token, write_token

tokens = st.builds(Token, st.sampled_from(Work), st.integers(0, 2**64))


def with_sum(body: str) -> str:
    return f"{crc32(body.encode()):08x}{body}"


@given(tokens)
def test_a_token_comes_back_as_it_was(token: Token) -> None:
    assert read_token(write_token(token)) == token


@given(tokens, st.data())
def test_a_token_with_one_letter_changed_is_none(token: Token, data: st.DataObject) -> None:
    text = write_token(token)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters().filter(lambda letter: letter != text[place]))
    assert read_token(text[:place] + letter + text[place + 1 :]) is None


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    assert read_token(text) is None


@pytest.mark.parametrize("body", ["", "t", "m", "z1", "tx", "t 1", "t0x1", "t1_0", "t+1", "t01", "T1", "t1."])
def test_a_right_sum_over_something_else_is_none(body: str) -> None:
    assert read_token(with_sum("t1")) == Token(Work.TURN, 1)
    assert read_token(with_sum(body)) is None


def test_a_token_is_short() -> None:
    assert len(write_token(Token(Work.ACTIVITY, 2**52))) <= 24
