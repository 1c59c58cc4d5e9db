"""The `holdfast` command: finding commands, refusing what it does not know."""

import subprocess
import sys

import pytest

from holdfast_cli.__main__ import main
from holdfast_cli.commands import COMMANDS, Command


def test_it_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_without_a_command_it_helps_and_is_misused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: holdfast COMMAND" in capsys.readouterr().out


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("holdfast 0.")


def test_an_unknown_command_gets_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devv"]) == 2
    assert "did you mean dev?" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_can_be_loaded(name: str) -> None:
    assert callable(COMMANDS[name].load())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: holdfast {name}" in capsys.readouterr().out


def test_a_missing_package_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    commands = {"extra": Command("no_such_package_anywhere:main", "x", "fancy")}
    assert main(["extra"], commands) == 2
    assert "pip install 'holdfast[fancy]'" in capsys.readouterr().err


def test_a_bug_of_ours_is_not_taken_for_a_missing_package() -> None:
    commands = {"broken": Command("holdfast_cli.nowhere:main", "x", "fancy")}
    with pytest.raises(ModuleNotFoundError):
        main(["broken"], commands)


def test_a_file_that_is_not_there_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sidecar", "--config", "/no/such/file.yaml"]) == 2
    assert "/no/such/file.yaml" in capsys.readouterr().err


def test_help_loads_no_server() -> None:
    code = "import sys; from holdfast_cli.__main__ import main; main(['--help']); sys.exit('grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30)
