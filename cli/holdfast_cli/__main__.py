"""The `holdfast` command: finds the command, hands over the rest of the arguments, gives back its exit code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from typing import Final

from holdfast_cli.commands import COMMANDS, Command

OK: Final = 0
MISUSED: Final = 2


def main(arguments: Sequence[str] | None = None, commands: Mapping[str, Command] = COMMANDS) -> int:
    """Exit codes: what the command gives; 2 for a wrong call and for an extra that is not installed."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else "--help"
    if name in ("-h", "--help", "help"):
        print(_help(commands))
        return OK if given else MISUSED
    if name in ("-V", "--version"):
        print(f"holdfast {version('holdfast')}")
        return OK
    command = commands.get(name)
    if command is None:
        return _refuse(_unknown(name, commands))
    return _run(name, command, given[1:])


def _run(name: str, command: Command, arguments: Sequence[str]) -> int:
    try:
        entry = command.load()
    except ModuleNotFoundError as error:
        if not command.extra or (error.name or "").startswith("holdfast"):
            raise
        return _refuse(
            f"holdfast {name}: expected the package {error.name}, found none; "
            f"run: pip install 'holdfast[{command.extra}]'"
        )
    return entry(arguments) or OK


def _refuse(text: str) -> int:
    print(text, file=sys.stderr)
    return MISUSED


def _unknown(name: str, commands: Mapping[str, Command]) -> str:
    near = get_close_matches(name, commands, 1)
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(commands)}"
    return f"holdfast: {name!r} is no command; {hint}"


def _help(commands: Mapping[str, Command]) -> str:
    width = max(map(len, commands), default=0)
    rows = "\n".join(f"  {name:<{width}}  {command.summary}" for name, command in commands.items())
    return (
        "usage: holdfast COMMAND [ARGUMENTS]\n\n"
        "Durable workflows through a sidecar.\n\n"
        f"{rows}\n\n"
        "holdfast COMMAND --help tells what a command takes; holdfast --version tells the release."
    )


if __name__ == "__main__":
    sys.exit(main())
