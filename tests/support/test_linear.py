"""The judge of registers, against histories made in order, and against trying all orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.linear import Kind, Operation, is_linearizable


def read(value: int, begin: int, end: int) -> Operation:
    return Operation(Kind.READ, begin, end, value)


def write(value: int, begin: int, end: int | None) -> Operation:
    return Operation(Kind.WRITE, begin, end, value)


def swap(expected: int, value: int, begin: int, end: int, *, is_done: bool) -> Operation:
    return Operation(Kind.SWAP, begin, end, value, expected, is_done)


@pytest.mark.parametrize(
    ("operations", "is_right"),
    [
        ([], True),
        ([write(1, 0, 1), read(1, 2, 3)], True),
        ([write(1, 0, 1), read(0, 2, 3)], False),  # a write that was answered is gone
        ([write(1, 0, 5), read(0, 1, 2), read(1, 3, 4)], True),
        ([write(1, 0, 5), read(1, 1, 2), read(0, 3, 4)], False),  # back in time
        ([write(1, 0, None), read(0, 1, 2), read(1, 3, 4)], True),  # without an answer it may come late
        ([write(1, 0, None), read(0, 5, 6)], True),  # or not at all
        ([write(1, 0, 5), write(2, 0, 5), read(1, 6, 7), read(2, 8, 9)], False),
        ([swap(0, 1, 0, 3, is_done=True), swap(0, 2, 0, 3, is_done=True)], False),  # both cannot find it
        ([swap(0, 1, 0, 3, is_done=True), swap(0, 2, 0, 3, is_done=False)], True),
        ([swap(7, 1, 0, 1, is_done=False), read(0, 2, 3)], True),
        ([read(3, 0, 1)], False),  # out of thin air
    ],
)
def test_known_histories_are_judged_right(operations: Sequence[Operation], is_right: bool) -> None:
    assert is_linearizable(operations) is is_right


def _in_order(seed: int, number: int) -> list[Operation]:
    """Answers of a register that does one after the other, at instants within longer and longer intervals."""
    rng, value, made = Random(seed), 0, list[Operation]()
    for at in range(number):
        begin, end = 10 * at - rng.randrange(40), 10 * at + rng.randrange(1, 40)
        match rng.choice(list(Kind)):
            case Kind.READ:
                made.append(read(value, begin, end))
            case Kind.WRITE:
                value = rng.randrange(5)
                made.append(write(value, begin, end))
            case Kind.SWAP:
                expected, wanted = rng.randrange(5), rng.randrange(5)
                made.append(swap(expected, wanted, begin, end, is_done=expected == value))
                value = wanted if expected == value else value
    return made


@given(st.integers(0, 10**9), st.integers(0, 60))
def test_what_a_register_answered_is_always_accepted(seed: int, number: int) -> None:
    assert is_linearizable(_in_order(seed, number))


@given(st.integers(0, 10**9), st.integers(0, 5), st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_it_agrees_with_trying_all_orders(seed: int, number: int, values: list[int]) -> None:
    operations = [
        replace(operation, value=value) if operation.kind is Kind.READ else operation
        for operation, value in zip(_in_order(seed, number), values, strict=False)
    ]
    assert is_linearizable(operations) is any(_explains(order) for order in permutations(operations))


def _explains(order: Sequence[Operation]) -> bool:
    value = 0
    for number, operation in enumerate(order):
        if any(later.end is not None and later.end < operation.begin for later in order[number + 1 :]):
            return False
        after = operation.after(value)
        if after is None:
            return False
        value = after
    return True
