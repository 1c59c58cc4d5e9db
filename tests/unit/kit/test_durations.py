from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.durations import (
    InvalidDuration,
    InvalidSize,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3s", timedelta(seconds=3)),
        ("250ms", timedelta(milliseconds=250)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5s", timedelta(milliseconds=1500)),
        (" 10us ", timedelta(microseconds=10)),
        ("-5s", timedelta(seconds=-5)),
        ("0", timedelta(0)),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "3sec", "1s-2s", "٣s", "99999999999999d", "1e3s"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidDuration, match="expected a number and a unit like"):
        parse_duration(text)


@given(st.timedeltas())
def test_every_duration_survives_the_way_there_and_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_durations_are_written_short() -> None:
    assert format_duration(timedelta(minutes=90)) == "1h30m"
    assert format_duration(timedelta(0)) == "0s"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("65536", 65536), ("4MiB", 4 << 20), ("1.5 KiB", 1536), ("2kB", 2000), ("1GB", 10**9)],
)
def test_sizes_are_read_as_people_write_them(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["", "4M", "-1", "4mib", "0.5B", "1.0001KiB"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidSize, match="expected bytes like"):
        parse_size(text)


@given(st.integers(0, 1 << 50))
def test_every_size_survives_the_way_there_and_back(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


def test_sizes_are_written_in_the_largest_unit_that_divides_them() -> None:
    assert [format_size(size) for size in (0, 1000, 4 << 20)] == ["0B", "1000B", "4MiB"]
