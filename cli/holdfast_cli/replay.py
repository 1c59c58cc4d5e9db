"""`holdfast replay module FILE…`: recorded histories against today's code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from holdfast import HoldfastError
from holdfast.registry import Registry
from holdfast.testing.histories import History, HistoryUnreadable, load_histories
from holdfast.testing.replay import replay_problem
from holdfast_cli.targets import HELP, BadTarget, add_folder, find, offers_of
from holdfast_kit.serve import ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    add_folder(flags.app_dir)
    try:
        registry = Registry(*offers_of(flags.target, find(flags.target)))
        histories = [history for file in flags.file for history in load_histories(file)]
    except (BadTarget, HistoryUnreadable, HoldfastError, OSError) as error:
        print(f"holdfast replay: {error}", file=sys.stderr)
        return ExitCode.MISUSED
    problems = [problem for history in histories if (problem := _problem(registry, history))]
    for problem in problems:
        print(problem)
    good = len(histories) - len(problems)
    print(f"{good} of {len(histories)} histories fit the code")
    return ExitCode.FAILED if problems else ExitCode.OK


def _problem(registry: Registry, history: History) -> str:
    error = replay_problem(registry, history)
    return "" if error is None else f"{history.source}: {type(error).__name__}: {error}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast replay",
        description="Check that recorded histories can be replayed by today's code, as running instances will be. No "
        "sidecar is asked and no activity is run. Ends with 1 when one does not fit.",
    )
    parser.add_argument("target", metavar="TARGET", help=HELP)
    parser.add_argument("file", metavar="FILE", nargs="+", help="of holdfast.testing.save_history()")
    parser.add_argument("--app-dir", metavar="DIR", default=".", help="where modules are looked for first (.)")
    return parser
