"""Header blocks: the examples of RFC 7541, round trips, and what must be refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.rpc import huffman
from holdfast_kit.rpc.hpack import BadHeaders, Decoder, encode, read_int, write_int

FIELDS = st.lists(
    st.tuples(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(str.lower),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    ),
    max_size=12,
)


def decoder() -> Decoder:
    return Decoder(list_bytes_max=1 << 16)


@given(FIELDS)
def test_what_is_written_is_read(fields: list[tuple[str, str]]) -> None:
    assert list(decoder().decode(encode(fields))) == fields


@given(st.integers(0, 1 << 27), st.integers(1, 7))
def test_numbers_come_back(value: int, prefix: int) -> None:
    assert read_int(write_int(value, prefix, 0), 0, prefix) == (value, len(write_int(value, prefix, 0)))


def test_the_requests_of_the_standard_share_one_table() -> None:
    """RFC 7541, C.4: three requests in Huffman code, each leaning on what the ones before left in the table."""
    reader = decoder()
    blocks = (
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    )
    found = [dict(reader.decode(bytes.fromhex(block))) for block in blocks]
    assert [each[":authority"] for each in found] == ["www.example.com"] * 3
    assert found[1]["cache-control"] == "no-cache"
    assert (found[2][":path"], found[2]["custom-key"]) == ("/index.html", "custom-value")


def test_the_table_forgets_its_oldest_when_it_is_full() -> None:
    """RFC 7541, C.5, with a table of 256 bytes: the third answer finds nothing of the first."""
    reader = decoder()
    head = "3fe101"  # the table shrinks to 256 bytes
    first = "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54"
    first += "6e1768747470733a2f2f7777772e6578616d706c652e636f6d"
    assert dict(reader.decode(bytes.fromhex(head + first)))[":status"] == "302"
    assert dict(reader.decode(bytes.fromhex("4803333037c1c0bf"))) == {
        ":status": "307",
        "cache-control": "private",
        "date": "Mon, 21 Oct 2013 20:13:21 GMT",
        "location": "https://www.example.com",
    }


def test_a_block_that_was_read_before_means_something_else_after_the_table_changed() -> None:
    reader = decoder()
    keep_a, keep_b, newest = b"\x40\x01a\x011", b"\x40\x01b\x012", b"\xbe"
    reader.decode(keep_a)
    assert reader.decode(newest) == (("a", "1"),)
    reader.decode(keep_b)
    assert reader.decode(newest) == (("b", "2"),)


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index 0
        b"\xff\x80\x80\x80\x80\x80\x01",  # a number without an end
        b"\xbe",  # an entry of a table that is empty
        b"\x00\x05ab",  # text that is cut off
        b"\x00",  # nothing behind it
        b"\x82\x20",  # a new table size behind a field
        b"\x3f\xe2\x1f",  # a table above what was offered
        b"\x00\x81\x00\x00",  # eight bits of padding are none
    ],
)
def test_a_block_that_cannot_be_read_is_refused(block: bytes) -> None:
    with pytest.raises(BadHeaders):
        decoder().decode(block)


def test_a_list_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadHeaders, match="at most 100 bytes"):
        Decoder(list_bytes_max=100).decode(encode([("name", "x" * 70)]))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(block: bytes) -> None:
    try:
        fields = decoder().decode(block)
    except BadHeaders:
        return
    assert all(isinstance(text, str) for field in fields for text in field)


def test_huffman_knows_the_text_of_the_standard() -> None:
    assert huffman.decode(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == b"www.example.com"
    assert huffman.decode(b"") == b""


def test_huffman_refuses_the_end_of_the_code() -> None:
    with pytest.raises(huffman.BadHuffman):
        huffman.decode(b"\xff\xff\xff\xff")
