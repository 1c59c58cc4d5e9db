"""Messages in a stream's bytes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.rpc.messages import Messages, framed
from holdfast_kit.rpc.status import Aborted, Status, percent_encoded


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_messages_come_out_whole_however_they_are_cut(messages: list[bytes], piece: int) -> None:
    reader, data = Messages(), b"".join(map(framed, messages))
    found = [each for at in range(0, len(data), piece) for each in reader.take(data[at : at + piece])]
    assert found == messages
    assert reader.is_between


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_messages_are_unpacked(name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"hello" * 100)
    assert Messages(name).take(b"\1" + framed(packed)[1:]) == [b"hello" * 100]


@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("identity", b"\1\0\0\0\1x", Status.UNIMPLEMENTED),
        ("gzip", b"\1\0\0\0\1x", Status.INTERNAL),
        ("identity", b"\0\xff\xff\xff\xff", Status.RESOURCE_EXHAUSTED),
    ],
)
def test_what_cannot_be_taken_has_a_status(encoding: str, data: bytes, status: Status) -> None:
    with pytest.raises(Aborted) as refused:
        Messages(encoding).take(data)
    assert refused.value.status is status


def test_a_message_that_swells_beyond_the_bound_is_refused() -> None:
    with pytest.raises(Aborted, match="when unpacked"):
        Messages("gzip", bytes_max=1000).take(b"\1" + framed(gzip.compress(bytes(5000)))[1:])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_texts_of_errors_come_back(text: str) -> None:
    encoded = percent_encoded(text)
    assert unquote(encoded) == text
    assert all(" " <= each <= "~" for each in encoded)
