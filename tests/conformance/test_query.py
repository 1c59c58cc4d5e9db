"""Lists of instances: filters, order and pages."""

from __future__ import annotations

from itertools import product

import pytest

from holdfast_proto.history import Status
from holdfast_sidecar.core.errors import InvalidRequest
from holdfast_sidecar.core.state import Commit, Filter, View
from holdfast_sidecar.stores.contract import Store
from tests.conformance.builders import create, delete, finish, follow
from tests.conformance.oracle import Oracle

PAGES_MAX = 400
FAR = 253_402_300_799_999_999_999
NAMES = ("ship", "bill", "pack")
STATUSES = (Status.PENDING, Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.SUSPENDED)

FILTERS = [
    Filter(
        statuses=frozenset(statuses),
        name=name,
        id_prefix=prefix,
        created_from=created[0],
        created_to=created[1],
        completed_from=ended[0],
        completed_to=ended[1],
    )
    for statuses, name, prefix, created, ended in product(
        [(), (Status.RUNNING,), (Status.COMPLETED, Status.FAILED, Status.PENDING), (Status.CANCELED,)],
        ["", "ship", "unknown"],
        ["", "a", "a/1"],
        [(0, 0), (120, 0), (0, 140), (110, 150)],
        [(0, 0), (300, 0), (0, 320), (290, 330)],
    )
]


def _instance(number: int) -> list[Commit]:
    """Every status, name and id prefix, with times that collide and ids that do not follow them."""
    status = STATUSES[number % len(STATUSES)]
    instance_id = f"{'ab'[number % 2]}/{number * 37 % 100:02}"
    fields = {"name": NAMES[number % 3], "created_at": 100 + number // 3}
    first = create(instance_id, record=fields)
    if status is Status.PENDING:
        return [first]
    if status.is_terminal:
        turn = follow(first, events=[b"turn", b"start"], consume=1)
        return [first, turn, finish(turn, at=350 - number // 2, status=status)]
    return [first, follow(first, record={"status": status})]


async def _fill(store: Store) -> Oracle:
    oracle = Oracle()
    batch = [commit for number in range(100) for commit in _instance(number)]
    for commit, outcome in zip(batch, await store.commit(batch), strict=True):
        assert oracle.apply(commit) is outcome
    return oracle


async def _walk(store: Store, wanted: Filter, *, limit: int, payloads: bool = False) -> list[View]:
    found: list[View] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        page = await store.query(wanted, limit=limit, cursor=cursor, payloads=payloads)
        assert len(page.views) <= limit
        found += page.views
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError(f"no last page among {PAGES_MAX}")


async def test_every_combination_of_filter_fields_gives_what_the_oracle_gives(store: Store) -> None:
    oracle = await _fill(store)
    for wanted in FILTERS:
        assert await _walk(store, wanted, limit=200) == oracle.query(wanted, payloads=False), wanted


@pytest.mark.parametrize("limit", [1, 7])
@pytest.mark.parametrize("wanted", [Filter(), *FILTERS[5::97]])
async def test_pages_give_each_one_once_in_order_of_creation(store: Store, wanted: Filter, limit: int) -> None:
    oracle = await _fill(store)
    assert await _walk(store, wanted, limit=limit) == oracle.query(wanted, payloads=False)


@pytest.mark.parametrize("limit", [1, 7, 200])
@pytest.mark.parametrize(
    "wanted",
    [
        Filter(by_completion=True),
        Filter(by_completion=True, completed_from=310, completed_to=340),
        Filter(by_completion=True, statuses=frozenset({Status.FAILED}), name="ship", id_prefix="a"),
        Filter(by_completion=True, statuses=frozenset({Status.RUNNING})),
        Filter(by_completion=True, created_from=110, created_to=130),
    ],
)
async def test_pages_give_each_ended_one_once_in_order_of_completion(store: Store, wanted: Filter, limit: int) -> None:
    oracle = await _fill(store)
    assert await _walk(store, wanted, limit=limit) == oracle.query(wanted, payloads=False)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(created_to=FAR, completed_to=FAR),
        Filter(created_to=FAR),
        Filter(created_from=FAR),
        Filter(completed_from=FAR, by_completion=True),
        Filter(completed_to=FAR, by_completion=True, name="ship"),
    ],
)
async def test_a_bound_in_the_year_9999_is_a_number_like_others(store: Store, wanted: Filter) -> None:
    oracle = await _fill(store)
    assert await _walk(store, wanted, limit=200) == oracle.query(wanted, payloads=False)


async def test_views_carry_payload_rows_only_when_asked(store: Store) -> None:
    oracle = await _fill(store)
    assert await _walk(store, Filter(), limit=30, payloads=True) == oracle.query(Filter(), payloads=True)
    completed = Filter(statuses=frozenset({Status.COMPLETED}))
    [view, *_] = await _walk(store, completed, limit=30, payloads=True)
    assert (view.start, view.end) == (b"start", b"completed")


async def test_a_status_that_changes_is_found_under_the_new_one_alone(store: Store) -> None:
    first = create("order-7")
    await store.commit([first])
    turns = [follow(first, record={"status": Status.RUNNING})]
    turns.append(follow(turns[-1], record={"status": Status.SUSPENDED}))
    turns.append(finish(turns[-1], at=50, status=Status.FAILED))
    turns.append(follow(turns[-1], record={"status": Status.RUNNING, "completed_at": None}))
    turns.append(finish(turns[-1], at=60))
    for commit in turns:
        await store.commit([commit])
        assert commit.record is not None
        for status in Status:
            found = await _walk(store, Filter(statuses=frozenset({status})), limit=5)
            assert bool(found) is (commit.record.status is status)
        ended = await _walk(store, Filter(by_completion=True), limit=5)
        assert bool(ended) is commit.record.status.is_terminal


async def test_an_instance_started_anew_is_listed_once_under_its_new_name_and_time(store: Store) -> None:
    first = create("order-7")
    ended = finish(first, at=50)
    again = follow(
        ended, record={"name": "other", "created_at": 90, "completed_at": None, "status": Status.PENDING}, resets=True
    )
    await store.commit([first, ended, again, create("order-8", record={"created_at": 80})])
    assert [view.record.id for view in await _walk(store, Filter(created_from=80), limit=5)] == ["order-8", "order-7"]
    assert [view.record.id for view in await _walk(store, Filter(name="other"), limit=5)] == ["order-7"]
    assert [view.record.id for view in await _walk(store, Filter(name="hello"), limit=5)] == ["order-8"]
    assert await _walk(store, Filter(by_completion=True), limit=5) == []


async def test_a_deleted_instance_is_not_listed(store: Store) -> None:
    first = create("order-7")
    ended = finish(first, at=50)
    await store.commit([first, ended, create("order-8"), delete(ended)])
    assert [view.record.id for view in await _walk(store, Filter(), limit=5)] == ["order-8"]
    assert await _walk(store, Filter(by_completion=True), limit=5) == []


@pytest.mark.parametrize("by_completion", [False, True])
async def test_a_walk_gives_all_that_stood_when_it_began_though_others_come_and_go(
    store: Store, by_completion: bool
) -> None:
    firsts = [create(f"m{number:02}", record={"created_at": number}) for number in range(30)]
    standing = [finish(first, at=500 + number) for number, first in enumerate(firsts)]
    await store.commit([*firsts, *standing])
    wanted = Filter(by_completion=by_completion)
    page = await store.query(wanted, limit=4)
    seen = [view.record.id for view in page.views]
    turn = 0
    while page.cursor:
        early, late = create(f"a{turn}", record={"created_at": 0}), create(f"z{turn}", record={"created_at": 90 + turn})
        early_end, late_end = finish(early, at=1), finish(late, at=900 + turn)
        await store.commit([early, late, early_end, late_end, delete(early_end)])
        turn += 1
        page = await store.query(wanted, limit=4, cursor=page.cursor)
        seen += [view.record.id for view in page.views]
        assert turn < 200
        if turn > 20:
            break
    assert [instance_id for instance_id in seen if instance_id.startswith("m")] == [f"m{n:02}" for n in range(30)]
    assert len(seen) == len(set(seen))


async def test_an_empty_store_lists_nothing(store: Store) -> None:
    page = await store.query(Filter(), limit=5)
    assert (page.views, page.cursor) == ((), "")


async def test_characters_of_a_pattern_in_a_prefix_mean_themselves(store: Store) -> None:
    ids = ["a%b", "a_b", "a*b", "a?b", "a[b", "axb", "a\\b", "A%B"]
    await store.commit([create(instance_id) for instance_id in ids])
    for prefix in ("a%", "a_", "a*", "a?", "a[", "a\\"):
        found = await _walk(store, Filter(id_prefix=prefix), limit=9)
        assert [view.record.id for view in found] == [f"{prefix}b"]


async def test_a_cursor_that_no_page_gave_is_refused_by_name(store: Store) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        await store.query(Filter(), limit=5, cursor="never given")
