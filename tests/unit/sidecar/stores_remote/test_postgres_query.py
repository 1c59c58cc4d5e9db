from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.core.state import Filter
from holdfast_sidecar.stores.postgres_query import after_prefix, page_query
from holdfast_sidecar.stores.postgres_rows import waves
from holdfast_sidecar.stores.stamps import STAMP_MAX, stamp
from tests.conformance.builders import create, follow

texts = st.text(st.characters(codec="utf-8"), max_size=4)


@given(texts.filter(bool), texts, texts)
def test_what_begins_with_a_prefix_lies_between_it_and_what_comes_after(prefix: str, rest: str, other: str) -> None:
    end = after_prefix(prefix)
    assert prefix <= prefix + rest
    assert not end or prefix + rest < end
    if not other.startswith(prefix):
        assert not (prefix <= other and (not end or other < end))


def test_nothing_comes_after_the_last_character() -> None:
    assert after_prefix("\U0010ffff") == ""
    assert after_prefix("a\U0010ffff") == "b"
    assert after_prefix("\ud7ff") == "\ue000"


@given(st.integers(-5, STAMP_MAX + 5), st.integers(-5, STAMP_MAX + 5))
def test_stamps_are_ordered_as_times_are(one: int, other: int) -> None:
    kept = [min(max(at, 0), STAMP_MAX) for at in (one, other)]
    assert (stamp(one) < stamp(other)) is (kept[0] < kept[1])
    assert len(stamp(one)) == 21


def test_no_value_of_a_filter_stands_in_the_text_of_a_statement() -> None:
    wanted = Filter(name="na'me", id_prefix="pre'fix", created_from=123456, completed_to=654321)
    for are_few in (False, True):
        sql, args = page_query(wanted, (777777, "i'd"), limit=5, schema="holdfast", are_few=are_few)
        assert not any(value in sql for value in ("na'me", "pre'fix", "123456", "654321", "777777", "i'd"))
        assert {"na'me", "pre'fix", 123456, 654321, 777777, "i'd"} <= {arg for arg in args if not isinstance(arg, list)}


def test_a_batch_is_cut_where_an_instance_comes_again() -> None:
    a1, b1 = create("a"), create("b")
    a2, c1 = follow(a1), create("c")
    a3 = follow(a2)
    assert list(waves([a1, b1, a2, c1, a3])) == [[a1, b1], [a2, c1], [a3]]
    assert list(waves([])) == []
