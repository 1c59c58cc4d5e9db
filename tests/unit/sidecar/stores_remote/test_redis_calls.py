from __future__ import annotations

import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from holdfast_sidecar.stores.contract import StoreError, StoreFull
from holdfast_sidecar.stores.redis_link import Item, Script, calls, check

SCRIPT = Script(text="return {}", sha="abc", items_max=4, is_write=False)


def _items(count: int, *, weight: int = 0, args: int = 1) -> list[Item]:
    return [Item(number, (f"k{number}",), ("x",) * args, weight) for number in range(count)]


def test_a_call_carries_all_keys_then_the_number_of_items_then_all_arguments() -> None:
    assert list(calls(SCRIPT, _items(2))) == [(("EVALSHA", "abc", 2, "k0", "k1", 2, "x", "x"), 2)]


def test_no_items_are_no_call() -> None:
    assert list(calls(SCRIPT, [])) == []


def test_items_are_split_in_order_by_number() -> None:
    assert [count for _, count in calls(SCRIPT, _items(10))] == [4, 4, 2]


def test_heavy_items_travel_alone_but_travel() -> None:
    assert [count for _, count in calls(SCRIPT, _items(3, weight=64 * 1024 * 1024))] == [1, 1, 1]


def test_an_item_of_many_arguments_ends_its_call() -> None:
    assert [count for _, count in calls(SCRIPT, _items(3, args=150_000))] == [1, 1, 1]


@pytest.mark.parametrize("error", [OutOfMemoryError("command not allowed"), ResponseError("MISCONF cannot persist")])
def test_a_server_without_room_that_refused_everything_is_full(error: ResponseError) -> None:
    with pytest.raises(StoreFull, match="nothing was written"):
        check([error, error], server="cache:6379")


def test_a_server_that_ran_full_half_way_is_a_store_error() -> None:
    with pytest.raises(StoreError) as failure:
        check([[0], OutOfMemoryError("command not allowed")], server="cache:6379")
    assert not isinstance(failure.value, StoreFull)


def test_another_refusal_is_a_store_error_that_names_the_server() -> None:
    with pytest.raises(StoreError, match="cache:6379: ReadOnlyError"):
        check([ReadOnlyError("replica")], server="cache:6379")


def test_answers_without_error_pass() -> None:
    check([[0], None, [1]], server="cache:6379")
