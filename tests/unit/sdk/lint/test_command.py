"""`holdfast lint`: output, switches, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast_cli.lint import main

BAD = """\
import random, time, holdfast

@holdfast.workflow
async def flow(ctx):
    time.time()
    random.random()
    print("x")
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "app.py"
    file.write_text(BAD)
    return file


def test_it_tells_place_rule_and_help_and_ends_with_one(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(app)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "app.py:5:5: HF101 time.time() gives another time at each replay (in workflow flow)",
        "    help: use ctx.now(), or ctx.time_ns()",
        "app.py:6:5: HF102 random.random() gives another value at each replay (in workflow flow)",
        "    help: use ctx.random",
        "app.py:7:5: HF501 print() is written again at each replay (in workflow flow)",
        "    help: use ctx.log, which is silent during replay",
        "1 file looked at, found 2 errors and 1 warning",
    ]


def test_clean_code_ends_with_zero(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app.write_text("x = 1\n")
    assert main(["."]) == 0
    assert capsys.readouterr().out == "1 file looked at, nothing found\n"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["--select", "HF101"], ["HF101"]),
        (["--select", "HF1"], ["HF101", "HF102"]),
        (["--select", "hf101,HF5"], ["HF101", "HF501"]),
        (["--ignore", "HF1"], ["HF501"]),
        (["--select", "HF1", "--ignore", "HF102"], ["HF101"]),
        (["--select", "HF201"], []),
    ],
)
def test_rules_are_chosen(app: Path, capsys: pytest.CaptureFixture[str], flags: list[str], wanted: list[str]) -> None:
    assert main([*flags, "--format", "json", "app.py"]) == (1 if wanted else 0)
    assert [row["code"] for row in json.loads(capsys.readouterr().out)] == wanted


def test_json_holds_everything(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--select", "HF101", "--format", "json", str(app)])
    assert json.loads(capsys.readouterr().out) == [
        {
            "code": "HF101",
            "name": "clock",
            "severity": "error",
            "path": "app.py",
            "line": 5,
            "column": 5,
            "end_line": 5,
            "message": "time.time() gives another time at each replay (in workflow flow)",
            "help": "use ctx.now(), or ctx.time_ns()",
            "workflow": "flow",
            "via": [],
        }
    ]


def test_annotations_are_one_line_each(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--select", "HF501", "--format", "github", str(app)])
    assert capsys.readouterr().out == (
        "::warning file=app.py,line=7,endLine=7,col=5,title=HF501 output::print() is written again at each replay "
        "(in workflow flow); use ctx.log, which is silent during replay\n"
    )


def test_what_is_ignored_is_not_told(app: Path) -> None:
    lines = BAD.replace("time.time()", "time.time()  # holdfast: ignore[HF101]")
    lines = lines.replace("random.random()", "random.random()  # holdfast: ignore[HF101, HF102] for once")
    app.write_text(lines.replace('print("x")', 'print("x")  # holdfast: ignore'))
    assert main(["app.py"]) == 0


def test_ignoring_another_rule_or_in_a_text_ignores_nothing(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app.write_text(
        BAD.replace("time.time()", "time.time()  # holdfast: ignore[HF102]").replace('"x"', '"# holdfast: ignore"')
    )
    assert main(["app.py"]) == 1
    assert "found 2 errors and 1 warning" in capsys.readouterr().out


def test_a_comment_at_the_end_of_several_lines_counts(app: Path) -> None:
    app.write_text(
        BAD.partition("    time")[0] + "    time.strftime(\n        '%Y'\n    )  # holdfast: ignore[HF101]\n"
    )
    assert main(["app.py"]) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.py"], "nowhere.py: expected a file or a folder, found none"),
        (["app.py", "--select", "HF9"], "--select HF9: expected a rule such as HF101"),
        (["app.py", "--ignore", "E501"], "--ignore E501: expected a rule"),
    ],
)
def test_a_wrong_call_ends_with_two(
    app: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["app.py", "--format", "xml"]])
def test_missing_paths_and_unknown_formats_end_with_two(app: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
