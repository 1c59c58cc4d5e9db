"""Whose data it is: namespace, partition count and layout version."""

from __future__ import annotations

import pytest

from holdfast_sidecar.stores.contract import Outcome, StoreMismatch
from tests.conformance.builders import create, place
from tests.conformance.harness import NAMESPACE, PARTITIONS, Space, opened


async def _fill(space: Space) -> None:
    async with opened(space) as store:
        await store.acquire([place("order-7")[0]], 4)
        assert await store.commit([create("order-7", epoch=4)]) == [Outcome.APPLIED]


async def _assert_unchanged(space: Space) -> None:
    async with opened(space) as store:
        [found] = await store.load([place("order-7")])
        assert found is not None
        assert found.record == create("order-7").record
        assert await store.acquire([place("order-7")[0]], 3) == []


async def test_what_was_written_is_there_after_opening_again(space: Space) -> None:
    await _fill(space)
    await _assert_unchanged(space)


async def test_a_fresh_store_can_be_opened_and_closed_and_opened_again(space: Space) -> None:
    for _ in range(2):
        async with opened(space) as store:
            assert await store.load([place("order-7")]) == [None]


@pytest.mark.parametrize(("namespace", "partitions"), [("bakery", PARTITIONS), (NAMESPACE, PARTITIONS * 2)])
async def test_another_namespace_or_partition_count_is_refused(space: Space, namespace: str, partitions: int) -> None:
    await _fill(space)
    stranger = space.client()
    with pytest.raises(StoreMismatch) as refusal:
        await stranger.open(namespace=namespace, partitions=partitions)
    await stranger.close()
    wrong, right = (namespace, NAMESPACE) if namespace != NAMESPACE else (str(partitions), str(PARTITIONS))
    assert wrong in str(refusal.value)
    assert right in str(refusal.value)
    await _assert_unchanged(space)


async def test_a_newer_layout_is_refused_and_stays_refused(space: Space) -> None:
    await _fill(space)
    await space.make_layout_newer()
    for _ in range(2):
        older = space.client()
        with pytest.raises(StoreMismatch, match="layout"):
            await older.open(namespace=NAMESPACE, partitions=PARTITIONS)
        await older.close()
