"""The picture of etcd: what is put, deleted, foreign or damaged."""

from holdfast_placement.keys import FloorPlace, Keys, LeaderPlace, MemberPlace, PartitionsPlace, Place, TablePlace
from holdfast_placement.records import Leader, Member, encode_leader, encode_member, encode_table
from holdfast_placement.table import AppKey, Host, Row, Table
from holdfast_placement.view import Entry, Stored, View

KEYS = Keys()
APP = AppKey("default", "orders")
HOST = Host("a", "a:7000", "first", ("fused",))
MEMBER = Member(APP, HOST, serving=True, replica_id="p1", joined_at_ms=5)
TABLE = Table(APP, 7, 2, (HOST,), (Row("a", 7), Row("a", 3)))
LEADER = Leader("p1", "10.0.0.1:8080", 9)


def put(place: Place, value: bytes, revision: int = 3) -> Entry:
    return Entry(KEYS.of(place), value, revision, lease=11)


def gone(place: Place) -> Entry:
    return Entry(KEYS.of(place), None, 9)


def full_view() -> View:
    view = View(KEYS)
    entries = [
        put(LeaderPlace(), encode_leader(LEADER)),
        put(PartitionsPlace("default"), b"2"),
        put(MemberPlace(APP, "a"), encode_member(MEMBER)),
        put(TablePlace(APP), encode_table(TABLE)),
        put(FloorPlace(APP), b"5"),
    ]
    assert view.restart(entries, 30).foreign == ()
    return view


def test_everything_put_is_seen() -> None:
    view = full_view()
    assert view.leader == Stored(LEADER, 3, 11)
    assert view.member(APP, "a") == Stored(MEMBER, 3, 11)
    assert view.tables[APP].value == TABLE
    assert (view.partitions, view.floors, view.versions, view.revision) == ({"default": 2}, {APP: 5}, {APP: 7}, 30)


def test_everything_deleted_is_gone_but_the_version_is_remembered() -> None:
    view = full_view()
    places: list[Place] = [
        LeaderPlace(),
        PartitionsPlace("default"),
        MemberPlace(APP, "a"),
        TablePlace(APP),
        FloorPlace(APP),
    ]
    view.apply([gone(place) for place in places], 31)
    assert view == View(KEYS, revision=31, versions={APP: 7})


def test_a_listing_replaces_the_picture() -> None:
    view = full_view()
    view.restart([], 40)
    assert view == View(KEYS, revision=40, versions={APP: 7})


def test_foreign_keys_are_handed_back_and_change_nothing() -> None:
    view = full_view()
    foreign = view.apply([Entry(b"/holdfast/v1/nonsense", b"x", 31)], 31).foreign
    assert [(found.key, found.reason) for found in foreign] == [(b"/holdfast/v1/nonsense", "no key of this service")]
    assert view.members == full_view().members


def test_damaged_values_count_as_absent_and_can_be_written_over() -> None:
    view = full_view()
    damaged = [put(TablePlace(APP), b"\xff\xff", 31), put(PartitionsPlace("default"), b"-4", 32)]
    assert len(view.apply(damaged, 32).foreign) == 2
    assert view.unreadable == {TablePlace(APP): 31, PartitionsPlace("default"): 32}
    assert view.tables == {}
    assert view.partitions == {}


def test_a_record_of_another_host_is_damaged() -> None:
    view = View(KEYS)
    (found,) = view.apply([put(MemberPlace(APP, "b"), encode_member(MEMBER))], 31).foreign
    assert found.reason == "member default/orders/b: found the record of another one"
    assert view.members == {}


def test_a_mended_value_is_no_longer_unreadable() -> None:
    view = View(KEYS)
    view.apply([put(TablePlace(APP), b"\xff", 31)], 31)
    view.apply([put(TablePlace(APP), encode_table(TABLE), 32)], 32)
    assert view.unreadable == {}
    assert view.tables[APP].mod_revision == 32


def test_what_a_batch_touched_is_told() -> None:
    view = full_view()
    touched = view.apply([gone(MemberPlace(APP, "a")), put(FloorPlace(APP), b"6")], 31).places
    assert touched == {MemberPlace(APP, "a"), FloorPlace(APP)}


def test_a_listing_touches_also_what_has_gone() -> None:
    view = full_view()
    assert MemberPlace(APP, "a") in view.restart([], 40).places
