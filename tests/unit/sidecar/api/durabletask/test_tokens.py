"""A token comes back as it was written, and nothing else is taken for one."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.api.durabletask.model import Dialect
from holdfast_sidecar.api.durabletask.tokens import Token, Work, read_token, write_token

numbers = st.integers(0, 2**64)
tokens = st.builds(
    Token,
    dialect=st.sampled_from(Dialect),
    work=st.sampled_from(Work),
    instance_id=st.text(),
    generation=numbers,
    number=numbers,
    dispatch=numbers,
)


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


def test_a_right_sum_over_something_else_is_none() -> None:
    for body in ("", "m", "mt", "zt1.2.3.i", "mz1.2.3.i", "mt1.2.3", "mtx.2.3.i"):
        good = write_token(
            Token(dialect=Dialect.DAPR, work=Work.TURN, instance_id="", generation=0, number=0, dispatch=0)
        )
        assert read_token(good) is not None
        assert read_token(_with_sum(body)) is None


def _with_sum(body: str) -> str:

    return f"{crc32(body.encode()):08x}{body}"


def test_a_token_is_short() -> None:
    token = Token(
        dialect=Dialect.MICROSOFT, work=Work.ACTIVITY, instance_id="order-7", generation=3, number=12, dispatch=700
    )
    assert len(write_token(token)) <= 8 + 2 + len("3.c.2bc.") + len("order-7")
