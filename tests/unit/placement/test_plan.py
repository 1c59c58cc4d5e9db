"""What the leader writes: when it is due, what stays, and versions that never repeat whatever was lost."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast_placement.keys import Keys
from holdfast_placement.plan import Situation, next_table, situation
from holdfast_placement.records import Member
from holdfast_placement.table import AppKey, Host, Table
from holdfast_placement.view import Stored, View

UNTIMED = settings(deadline=None)  # the machine is shared
APP = AppKey("default", "orders")
NOTHING = Situation(APP, 16, (), None, 0, 0, 0)


def hosts(names: str) -> tuple[Host, ...]:
    return tuple(Host(name, f"{name}:1", "1") for name in sorted(names))


def after(now: Situation, table: Table) -> Situation:
    return replace(now, table=table, version_seen=table.version)


def view_of(*members: Member, revision: int = 100) -> View:
    view = View(Keys(), revision, partitions={"default": 16})
    view.members[APP] = {member.host.id: Stored(member, 1, 1) for member in members}
    return view


def member(name: str, *, serving: bool = True) -> Member:
    return Member(APP, Host(name, f"{name}:1", "1"), serving, "p1", 0)


def test_a_host_that_does_not_serve_is_told_to_the_others_and_owns_nothing() -> None:
    now = situation(view_of(member("a"), member("b", serving=False)), APP)
    assert now is not None
    assert [(host.id, host.is_guest) for host in now.hosts] == [("a", False), ("b", True)]
    assert {row.host for row in next_table(now).rows} == {"a"}


def test_a_guest_that_begins_to_serve_is_a_newcomer_then() -> None:
    as_guest = situation(view_of(member("a"), member("b", serving=False)), APP)
    assert as_guest is not None
    before = next_table(as_guest)
    now = situation(view_of(member("a"), member("b")), APP)
    assert now is not None
    now = replace(now, table=before)
    assert now.is_due
    after = next_table(now)
    assert after.loads() == next_table(replace(now, table=replace(before, hosts=hosts("a")))).loads()
    assert after.loads()["b"] > 0


def test_an_app_that_starts_from_nothing_starts_above_the_revision() -> None:
    now = situation(view_of(member("a"), revision=100), APP)
    assert now is not None
    assert {row.epoch for row in next_table(now).rows} == {101}


def test_a_deleted_table_starts_above_every_version_seen() -> None:
    view = view_of(member("a"), revision=100)
    view.versions[APP] = 5000
    now = situation(view, APP)
    assert now is not None
    assert next_table(now).version == 5001


def test_without_a_partition_count_or_with_a_contradicting_one_nothing_is_planned() -> None:
    view = view_of(member("a"))
    now = situation(view, APP)
    assert now is not None
    view.tables[APP] = Stored(next_table(now), 5)
    view.partitions["default"] = 32
    assert situation(view, APP) is None
    assert situation(View(Keys()), APP) is None


def test_nothing_is_due_when_the_table_fits() -> None:
    now = replace(NOTHING, hosts=hosts("ab"))
    assert now.is_due
    assert not after(now, next_table(now)).is_due
    assert not NOTHING.is_due


def test_a_floor_above_the_epochs_is_due_once() -> None:
    now = replace(NOTHING, hosts=hosts("ab"))
    raised = replace(after(now, next_table(now)), floor=700)
    assert raised.is_due
    table = next_table(raised)
    assert min(row.epoch for row in table.rows) == table.version == 701
    assert not after(raised, table).is_due


@UNTIMED
@given(st.lists(st.tuples(st.text("abcd", max_size=4), st.integers(0, 3)), min_size=1, max_size=10))
def test_whatever_comes_and_goes_epochs_grow_and_the_plan_settles(steps: list[tuple[str, int]]) -> None:
    now = NOTHING
    for names, raised in steps:
        floor = now.table.version + 5 if now.table and raised == 3 else now.floor
        now = replace(now, hosts=hosts("".join(set(names))), floor=floor)
        later = next_table(now) if now.is_due else now.table
        if later is None:
            continue
        assert now.table is None or now.table.version <= later.version
        assert all(row.epoch > floor for row in later.rows if row.host)
        allowed: list[str | None] = [host.id for host in now.hosts] or [None]
        assert {row.host for row in later.rows} <= set(allowed)
        now = after(now, later)
        assert not now.is_due
