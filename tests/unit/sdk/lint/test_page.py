"""docs/lint.md holds every rule, with code that breaks it and code that does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.lint import RULES
from tests.unit.sdk.lint.looking import codes, look

PAGE = (Path(__file__).parents[4] / "docs" / "lint.md").read_text(encoding="utf-8")
SECTIONS = {part[:5]: part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
WITH_CODE = [code for code in RULES if code != "HF001"]


def block(code: str, kind: str) -> str:
    found = re.search(rf"^```python {kind}\n(.*?)^```$", SECTIONS[code], re.MULTILINE | re.DOTALL)
    assert found, f"docs/lint.md: expected a {kind} block under {code}, found none"
    return found[1]


def test_every_rule_has_its_section_and_no_other_has() -> None:
    assert list(SECTIONS) == list(RULES)


@pytest.mark.parametrize("code", RULES)
def test_the_section_is_headed_by_the_rules_name(code: str) -> None:
    assert SECTIONS[code].splitlines()[0] == f"{code} {RULES[code].name.replace('-', ' ')}"


@pytest.mark.parametrize("code", WITH_CODE)
def test_the_wrong_code_breaks_this_rule_and_no_other(code: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, block(code, "wrong"))) == [code]


@pytest.mark.parametrize("code", WITH_CODE)
def test_the_right_code_breaks_none(code: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, block(code, "right"))) == []
