"""HF106 and HF301: sets whose order counts, state that is shared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sdk.lint.looking import body, codes, look

IN_ORDER = [
    "for x in {*items}: pass",
    "[x for x in set(items)]",
    "list(frozenset(items))",
    "', '.join(set(items))",
    "next(iter(set(items)))",
    "set(items).pop()",
    "a, b = set(items)",
    "await asyncio.gather(*set(items))",
    "for x in set(items) - {'a'}: pass",
    "for x in set(items).union(['a']): pass",
    "for x in dict.fromkeys(items).keys() & {'a'}: pass",
    "for n, x in enumerate(set(items)): pass",
    "{x: 1 for x in set(items)}",
    "sum([await ctx.call(render, x) for x in set(items)])",
]
ANY_ORDER = [
    "'a' in set(items)",
    "len(set(items))",
    "for x in sorted(set(items)): pass",
    "max(x for x in set(items))",
    "{len(x) for x in set(items)}",
    "for x in dict.fromkeys(items): pass",
    "for x in {'a': 1}.keys(): pass",
    "await asyncio.wait({ctx.call(render, x) for x in items})",
    "for t in {asyncio.create_task(ctx.call(render, x)) for x in items}: await t",
]


@pytest.mark.parametrize("line", IN_ORDER)
def test_a_set_in_order_is_found(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, body(line))) == ["HF106"]


@pytest.mark.parametrize("line", ANY_ORDER)
def test_a_set_whose_order_nobody_sees_is_left_alone(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, body(line))) == []


@pytest.mark.parametrize("kind", ["set[str]", "frozenset[str]", "set", "'set[str] | None'"])
def test_the_annotation_of_a_parameter_says_that_it_is_a_set(kind: str, tmp_path: Path) -> None:
    found = look(tmp_path, body("for x in tags: pass", head=f"ctx: holdfast.Context, tags: {kind}"))
    assert codes(found) == ["HF106"]


def test_the_field_of_a_class_says_that_it_is_a_set(tmp_path: Path) -> None:
    source = "class Order:\n    tags: set[str]\n" + body("list(order.tags)", head="ctx: holdfast.Context, order: Order")
    assert codes(look(tmp_path, source)) == ["HF106"]


def test_what_a_function_returns_says_that_it_is_a_set(tmp_path: Path) -> None:
    source = "def tags() -> set[str]:\n    return set()\n" + body("for x in tags(): pass")
    assert codes(look(tmp_path, source)) == ["HF106"]


def test_the_result_of_an_activity_says_nothing_of_a_set(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("for x in await ctx.call(render, 'x'): pass"))) == []


HEAD = """\
import itertools
seen: dict[str, int] = {}
names = []
numbers = itertools.count()
class Totals:
    made = 0
"""
WRITES = [
    "seen['a'] = 1",
    "seen['a'] += 1",
    "del seen['a']",
    "seen.update(a=1)",
    "names.append('a')",
    "next(numbers)",
    "Totals.made += 1",
    "a, seen['a'] = 1, 2",
]
NO_WRITES = [
    "seen.get('a')",
    "names.count('a')",
    "mine = []; mine.append('a')",
    "mine = dict(seen); mine['a'] = 1",
    "totals = Totals(); totals.made = 1",
    "items.append('a')",
]


@pytest.mark.parametrize("line", WRITES)
def test_writing_what_is_shared_is_found(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body(line))) == ["HF301"]


@pytest.mark.parametrize("line", NO_WRITES)
def test_reading_it_and_writing_what_is_local_is_left_alone(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body(line))) == []


def test_assigning_a_global_is_found(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("global last", "last = items"))) == ["HF301"]


def test_writing_to_another_module_is_found(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        "import state\n" + body("state.last = 1", "state.seen['a'] = 1"),
        {"state.py": "seen = {}\nlast = 0\n"},
    )
    assert codes(found) == ["HF301", "HF301"]
