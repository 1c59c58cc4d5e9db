"""The page out of many ordered sets, against sorting everything."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.stores.redis_link import Item
from holdfast_sidecar.stores.redis_scan import Place, Source, Span, scan

positions = st.binary(min_size=1, max_size=2)
prefixes = st.sampled_from([b"s1", b"s2", b"s3"])
members_of = st.lists(st.builds(bytes.__add__, prefixes, positions), max_size=12, unique=True)
sets = st.lists(members_of, max_size=8)


class Server:
    """Answers as scan.lua does, and counts what it hands out."""

    def __init__(self, members: Sequence[Sequence[bytes]]) -> None:
        self.sets = {str(number): sorted(row) for number, row in enumerate(members)}
        self.given = 0

    async def fetch(self, items: Sequence[Item]) -> list[list[bytes]]:
        return [self._positions(item) for item in items]

    def _positions(self, item: Item) -> list[bytes]:
        bracket, low, high, count, _, *starts = item.args
        assert isinstance(low, bytes)
        assert isinstance(high, bytes)
        assert isinstance(count, int)
        found = list[bytes]()
        for start in starts:
            assert isinstance(start, bytes)
            rest = [member[len(start) :] for member in self.sets[item.keys[0]] if member.startswith(start)]
            found += [at for at in rest if (at > low or (at == low and bracket == "[")) and at < high][:count]
        self.given += len(found)
        return found


@given(sets, st.sets(prefixes, min_size=1), positions, positions, st.booleans(), st.integers(1, 30))
async def test_a_scan_gives_what_sorting_everything_gives(
    members: list[list[bytes]], starts: set[bytes], low: bytes, high: bytes, is_after: bool, limit: int
) -> None:
    sources = [Source(number, str(number), sorted(starts)) for number in range(len(members))]
    found = await scan(Server(members).fetch, sources, Span(low, high, is_after), limit=limit)
    everything = sorted(
        Place(member[2:], number)
        for number, row in enumerate(members)
        for member in row
        if member[:2] in starts and low <= member[2:] < high and not (is_after and member[2:] == low)
    )
    assert [place.position for place in found] == [place.position for place in everything][:limit]
    assert set(found) <= set(everything)


async def test_a_set_that_holds_the_whole_page_is_read_on() -> None:
    early = [b"s1" + f"{at:04}".encode() for at in range(200)]
    late = [[b"s1" + f"{at:04}{number:04}".encode() for at in range(5000, 5030)] for number in range(20)]
    server = Server([early, *late])
    sources = [Source(number, str(number), (b"s1",)) for number in range(21)]
    found = await scan(server.fetch, sources, Span(b"", b"\xff"), limit=150)
    assert [place.position for place in found] == [member[2:] for member in early[:150]]


async def test_what_one_prefix_has_far_ahead_does_not_hide_what_another_has_before() -> None:
    early = [b"s1" + f"{at:04}".encode() for at in range(200)]
    late = [b"s2" + f"{at:04}".encode() for at in range(5000, 5200)]
    sets = [[*early, *late], *[[b"s2" + f"{9000 + number}".encode()] for number in range(20)]]
    sources = [Source(number, str(number), (b"s1", b"s2")) for number in range(21)]
    found = await scan(Server(sets).fetch, sources, Span(b"", b"\xff"), limit=300)
    assert [place.position for place in found] == [member[2:] for member in (early + late)[:300]]


async def test_a_page_does_not_read_what_it_does_not_need() -> None:
    server = Server([[b"s1" + f"{at:04}{number:04}".encode() for at in range(1000)] for number in range(64)])
    sources = [Source(number, str(number), (b"s1",)) for number in range(64)]
    found = await scan(server.fetch, sources, Span(b"", b"\xff"), limit=100)
    assert len(found) == 100
    assert server.given <= 1000
