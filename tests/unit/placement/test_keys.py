"""Names in etcd can be read back, and nothing else is taken for one of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_placement.keys import (
    FloorPlace,
    Keys,
    LeaderPlace,
    MemberPlace,
    PartitionsPlace,
    Place,
    TablePlace,
    is_id,
)
from holdfast_placement.table import AppKey

UNTIMED = settings(deadline=None)  # the machine is shared
ids = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True).filter(is_id)
apps = st.builds(AppKey, ids, ids)
places: st.SearchStrategy[Place] = st.one_of(
    st.just(LeaderPlace()),
    st.builds(PartitionsPlace, ids),
    st.builds(MemberPlace, apps, ids),
    st.builds(TablePlace, apps),
    st.builds(FloorPlace, apps),
)


@UNTIMED
@given(places)
def test_every_name_can_be_read_back(place: Place) -> None:
    keys = Keys("/holdfast/v1/")
    assert keys.parse(keys.of(place)) == place


@pytest.mark.parametrize(
    "key",
    [
        b"/elsewhere/leader",
        b"/holdfast/v1/",
        b"/holdfast/v1/leader/x",
        b"/holdfast/v1/ns/a/app/b/host/c/d",
        b"/holdfast/v1/ns/a b/partitions",
        b"/holdfast/v1/ns/../app/b/table",
        b"/holdfast/v1/ns/a/app/\xff/table",
    ],
)
def test_anything_else_is_foreign(key: bytes) -> None:
    assert Keys().parse(key) is None


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "é", "x" * 129])
def test_what_cannot_be_an_id(text: str) -> None:
    assert not is_id(text)
