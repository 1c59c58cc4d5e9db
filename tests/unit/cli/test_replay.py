"""`holdfast replay`: what it says of histories that fit, that do not, and of files that hold none."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast_cli.__main__ import main

RECORDED = Path(__file__).parents[2] / "histories"
CODE = "tests.histories.workflows"


def test_histories_that_fit_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CODE, *map(str, sorted(RECORDED.glob("*.jsonl")))]) == 0
    assert capsys.readouterr().out.endswith("histories fit the code\n")


@pytest.fixture
def changed(tmp_path: Path) -> str:
    text = (
        "import holdfast\nfrom tests.histories.workflows import Order, charge, pack\n"
        "@holdfast.workflow\nasync def checkout(ctx: holdfast.Context, order: Order) -> str:\n"
        "    return await ctx.call(pack, order, 'a box')\n"
    )
    (tmp_path / "changed_shop.py").write_text(text)
    return str(tmp_path)


def test_a_history_that_does_not_fit_is_explained_with_its_place(
    changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(RECORDED / "checkout.jsonl"), str(RECORDED / "patched.jsonl")]
    assert main(["replay", "changed_shop", *files, "--app-dir", changed]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{files[0]}:1: NonDeterminism: instance 'recorded-checkout', event 2: the history holds ")
    assert "activity 'charge' as 0, the code called activity 'pack' as 0 at " in first
    assert "changed_shop.py:5 in checkout" in first
    assert "this worker has no workflow 'patched'; it has checkout" in second
    assert last == "0 of 2 histories fit the code"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected at least one history, found none"),
        ("hello\n", "old.jsonl:1: expected one JSON object, found hello"),
        ("[1]\n", "old.jsonl:1: expected one JSON object, found [1]"),
        ('{"event_id": 1}\n', "old.jsonl:1: expected a head"),
        ('{"holdfast_history": 2}\n', "old.jsonl:1: expected format 1, found 2; update holdfast"),
        ('{"holdfast_history": 1}\n', "old.jsonl:1: expected WorkflowStarted among its events, found none"),
        ('{"holdfast_history": 1}\n{"colour": 1}\n', "old.jsonl:2: expected an event of a history: "),
        ('{"holdfast_history": 1}\n{"event_id": 1}\n', "old.jsonl:2: expected an event of a history: "),
    ],
)
def test_a_file_that_holds_no_history_is_told_with_its_line(
    tmp_path: Path, text: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.jsonl"
    file.write_text(text)
    assert main(["replay", CODE, str(file)]) == 2
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CODE, "nowhere.jsonl"]) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_a_module_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "nowhere_at_all", str(RECORDED / "checkout.jsonl")]) == 2
    assert "module 'nowhere_at_all': expected in" in capsys.readouterr().err
