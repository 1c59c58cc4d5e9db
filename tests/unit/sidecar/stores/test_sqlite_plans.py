"""No statement of the store walks over all rows, however many instances there are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import apsw
import pytest

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import ActivityRow, Filter, Reminder
from holdfast_sidecar.stores.contract import Outcome
from holdfast_sidecar.stores.sqlite_reader import Reader
from holdfast_sidecar.stores.sqlite_rows import Rows, Select
from holdfast_sidecar.stores.sqlite_schema import open_reader, open_writer, prepare
from holdfast_sidecar.stores.sqlite_writer import Writer
from tests.conformance.builders import create, delete, finish, follow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with three thousand instances, a third of them ended."""
    connection = open_writer(tmp_path / "holdfast.db")
    prepare(connection, where=tmp_path, namespace="shop", partitions=16)
    with connection:
        writer = Writer(connection)
        for number in range(3_000):
            name = f"order-{number:04}"
            reminder = Reminder(name, "timer-1", 10**6)
            first = create(name, reminders_put=[reminder], record={"created_at": number, "name": "ship"})
            ended = [finish(first, at=9_000 + number)] if number % 3 == 0 else []
            assert set(writer.outcomes([first, *ended])) == {Outcome.APPLIED}
    connection.close()
    return tmp_path / "holdfast.db"


def _load(reader: Reader) -> None:
    [found] = reader.load(["order-0007"])
    assert found is not None
    [view] = reader.view(["order-0006"], payloads=True)
    assert view is not None
    assert len(reader.history("order-0006", first=0, limit=1)) == 1


def _due(reader: Reader) -> None:
    page = reader.due(range(16), after=0, until=10**6, limit=10, cursor="")
    assert len(page.reminders) == 10
    assert len(reader.due([1, 2], after=0, until=10**6, limit=10, cursor=page.cursor).reminders) == 10


def _query(reader: Reader) -> None:
    for statuses, name, prefix, by_completion, completed_from in product(
        [(), (Status.RUNNING,), (Status.PENDING, Status.COMPLETED)],
        ["", "ship"],
        ["", "order-", "order-001"],
        [False, True],
        [0, 9_500, 11_990],
    ):
        wanted = Filter(
            statuses=frozenset(statuses),
            name=name,
            id_prefix=prefix,
            by_completion=by_completion,
            completed_from=completed_from,
        )
        page = reader.query(wanted, limit=5, cursor="", payloads=True)
        reader.query(wanted, limit=5, cursor=page.cursor, payloads=False)


@pytest.mark.parametrize("act", [_load, _due, _query])
def test_reads_find_their_rows_by_an_index(path: Path, act: Callable[[Reader], None]) -> None:
    connection = open_reader(path)
    _assert_by_index(connection, lambda: act(Reader(Rows(connection), partitions=16)))
    connection.close()


def test_writes_find_their_rows_by_an_index(path: Path) -> None:
    connection = open_writer(path)
    writer = Writer(connection)
    first = create("fresh", activities_put=[ActivityRow(0, 1, b"x")])
    second = follow(first, resets=True, clears_activities=True, events=[b"a"])
    third = follow(second, consume=1, activities_delete=[(0, 1)], reminders_delete=["wake"], sets_custom_status=True)
    ended = finish(third, at=5)
    _assert_by_index(connection, lambda: writer.outcomes([first, second, third, ended, delete(ended), delete(ended)]))
    connection.close()


def _assert_by_index(connection: apsw.Connection, act: Callable[[], object]) -> None:
    seen: list[str] = []

    def trace(cursor: apsw.Cursor, statement: str, bound: object) -> bool:
        seen.append(cursor.expanded_sql)
        return True

    connection.exec_trace = trace
    act()
    connection.exec_trace = None
    asked = [statement for statement in seen if statement.startswith(("SELECT", "UPDATE", "DELETE"))]
    assert asked
    for statement in asked:
        for *_, walk in Rows(connection).all(Select[tuple[int, int, int, str]](f"EXPLAIN QUERY PLAN {statement}")):
            assert not walk.startswith("SCAN") or _is_bounded(walk), (statement, walk)


def _is_bounded(walk: str) -> bool:
    """A walk in the page's order stops with the page; parts of a page hold no more than its limit."""
    return "USING INDEX instance_created" in walk or "USING COVERING INDEX" in walk or walk.startswith("SCAN (")
